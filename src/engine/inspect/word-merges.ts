import { HeadlightError } from '../../protocol/errors';
import type { Vocabularies, WordMerges } from '../../protocol/stages';
import { BytePairTokenizer } from '../model/byte-pair-tokenizer';
import { type EncodingName, encodingNamed, openEncoding } from '../model/encoding';
import { mergeSteps } from '../model/merge-steps';
import type { Tokenizer } from '../model/tokenizer';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** The vocabularies that a passage is compared under. */
const COMPARED: readonly EncodingName[] = ['r50k_base', 'p50k_base', 'cl100k_base', 'o200k_base'];
/** A longer piece, such as a rule of dashes, has more steps than anyone reads. */
const LONGEST_PIECE = 64;
/** Tokens of each vocabulary that are handed out. */
const MOST_TOKENS = 512;

/** The tokens of a passage. */
export interface PassageIds {
  /** [T] */
  readonly ids: Uint32Array;
  /** So many at the start were put before the text, and are none of it. */
  readonly added: number;
}

/**
 * How the word that a token belongs to was merged from its bytes.
 *
 * @throws HeadlightError `argument-invalid` for a token or a word that cannot be shown, `tokenizer-unsupported`
 */
export async function wordMerges(tokenizer: Tokenizer, { ids, added }: PassageIds, token: number): Promise<WordMerges> {
  const word = await mergesOf(tokenizer, ids.subarray(added), token - added);
  return { ...word, firstToken: word.firstToken + added };
}

async function mergesOf(tokenizer: Tokenizer, ids: Uint32Array, token: number): Promise<WordMerges> {
  if (!Number.isInteger(token) || token < 0 || token >= ids.length) {
    throw new HeadlightError(
      'argument-invalid',
      `That token is none of the ${ids.length} that the text was split into; choose one of them.`,
    );
  }
  const encoding = await openEncoding(ownEncoding(tokenizer));
  const { text, starts } = joined(tokenizer, ids);
  const pattern = new RegExp(encoding.piecePattern.source, 'uy');
  let start = 0;
  let piece = new Uint8Array();
  while (start + piece.length <= starts[token] && pattern.lastIndex < text.length) {
    start += piece.length;
    const from = pattern.lastIndex;
    pattern.test(text);
    piece = new TextEncoder().encode(text.slice(from, pattern.lastIndex));
  }
  if (piece.length > LONGEST_PIECE) {
    throw new HeadlightError(
      'argument-invalid',
      `The word has ${piece.length} bytes, and the merges of at most ${LONGEST_PIECE} are shown; choose a shorter one.`,
    );
  }
  const firstToken = starts.indexOf(start);
  const steps = mergeSteps(piece, encoding.vocabulary);
  const ends = steps.at(-1)!.starts.map((at) => starts.indexOf(start + at));
  if (ends.some((at, part) => at !== firstToken + part)) {
    throw new HeadlightError(
      'argument-invalid',
      'These token ids are not those that the tokenizer makes of their text.',
    );
  }
  const textOf = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    encoding: encoding.name,
    firstToken,
    tokens: ends.length,
    steps: steps.map(({ starts: parts, merged, rank }) => ({
      merged,
      rank,
      parts: parts.map((from, part) => {
        const bytes = piece.subarray(from, parts[part + 1] ?? piece.length);
        return { text: textOf.decode(bytes), bytes: [...bytes] };
      }),
    })),
  };
}

/** The passage under the model's own vocabulary and others. */
export async function vocabularies(
  tokenizer: Tokenizer,
  passage: PassageIds,
  cancellation?: Cancellation,
): Promise<Vocabularies> {
  const ids = passage.ids.subarray(passage.added);
  const { text, starts } = joined(tokenizer, ids);
  const row = (name: string, own: boolean, vocabSize: number, found: Uint32Array, by: Tokenizer) => ({
    name,
    own,
    vocabSize,
    count: found.length,
    bytesPerToken: starts[ids.length] / Math.max(1, found.length),
    tokens: Array.from(found.subarray(0, MOST_TOKENS), (id) => ({
      id,
      text: by.textOf(id),
      bytes: [...by.bytesOf(id)],
    })),
  });
  const own = tokenizer.encoding;
  const rows = [row(own, true, tokenizer.vocabSize, ids, tokenizer)];
  for (const name of COMPARED.filter((compared) => compared !== own)) {
    // Each takes a moment to open the first time: what was asked for meanwhile does not wait for all of them.
    await pauseUnlessCancelled(cancellation);
    const { vocabulary, ...encoding } = await openEncoding(name);
    const other = new BytePairTokenizer({ vocabulary, ...encoding }, vocabulary.size);
    rows.push(row(name, false, vocabulary.used, other.split(text).ids, other));
  }
  return { rows };
}

function ownEncoding(tokenizer: Tokenizer): EncodingName {
  const name = encodingNamed(tokenizer.encoding);
  if (name === null) {
    throw new HeadlightError(
      'tokenizer-unsupported',
      `The merges of the tokenizer ${tokenizer.encoding} are not known.`,
    );
  }
  return name;
}

/** The passage's text, and where each token and the end stand in its bytes. */
function joined(tokenizer: Tokenizer, ids: Uint32Array): { readonly text: string; readonly starts: readonly number[] } {
  const starts = [0];
  const parts = Array.from(ids, (id) => {
    const bytes = tokenizer.bytesOf(id);
    starts.push(starts[starts.length - 1] + bytes.length);
    return bytes;
  });
  return { text: Buffer.concat(parts).toString('utf8'), starts };
}
