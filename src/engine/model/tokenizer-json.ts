import { createHash } from 'node:crypto';
import { HeadlightError } from '../../protocol/errors';
import { readByteLevel } from './byte-level';
import { type Encoding, type EncodingName, openEncoding } from './encoding';
import { isObject, readJson } from './json-file';

/** `"a b"`, or since 2024 `["a", "b"]`. */
type Merge = string | readonly [string, string];

/** The parts of a Hugging Face `tokenizer.json` that decide which ids a text becomes. */
export interface TokenizerJson {
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: PreTokenizer | null;
  readonly post_processor?: unknown;
  readonly added_tokens?: readonly AddedToken[];
  readonly model: {
    readonly type?: string;
    /** Ids by token; of Unigram a list of tokens with their scores. */
    readonly vocab: Readonly<Record<string, number>> | readonly (readonly [token: string, score: number])[];
    readonly merges?: readonly Merge[];
    readonly dropout?: number | null;
    readonly continuing_subword_prefix?: string | null;
    readonly end_of_word_suffix?: string | null;
    readonly unk_token?: string | null;
    readonly unk_id?: number | null;
    readonly fuse_unk?: boolean;
    readonly byte_fallback?: boolean;
  };
}

/** A token that is found in the text as it is, before all else. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly single_word?: boolean;
  /** Takes the white space on this side with it. */
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
}

export interface PreTokenizer {
  readonly type: string;
  readonly pretokenizers?: readonly PreTokenizer[];
  readonly add_prefix_space?: boolean;
  readonly use_regex?: boolean;
  readonly pattern?: { readonly Regex?: string };
  readonly behavior?: string;
  readonly invert?: boolean;
  readonly prepend_scheme?: string;
  readonly split?: boolean;
  readonly individual_digits?: boolean;
}

interface KnownMerges {
  readonly encoding: EncodingName;
  /** SHA-256 of the merges, `a b\n` each. They say all but the cutting into pieces: the n-th merge is the n-th rank. */
  readonly sha256: string;
  /** How a file writes the encoding's pattern for pieces; null stands for the one that is built into `ByteLevel`. */
  readonly patterns: readonly (string | null)[];
}

/** What `ByteLevel` cuts a text by, unless told not to. */
export const GPT2_PATTERN = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/**
 * By number of merges. The pattern for cl100k_base that most files carry is an older one, which cuts whitespace at the
 * end of a text differently; it is not listed, since it would give other ids.
 */
const KNOWN_MERGES: Readonly<Record<number, KnownMerges>> = {
  50000: {
    encoding: 'r50k_base',
    sha256: 'ac33235097fe06d4a8fff0feac994644809e6eb6ab70669e1e9fd40ae032428e',
    patterns: [null, GPT2_PATTERN],
  },
  50024: {
    encoding: 'p50k_base',
    sha256: '0e9a7163582cedcbe05e7f071ba6d25dc185f163b2a5b2155cc0ffc3c099f7ec',
    patterns: [null, GPT2_PATTERN],
  },
  100000: {
    encoding: 'cl100k_base',
    sha256: 'c8f298e813f2ebe707ee4daed5f3087889e373c0db0208d841b60df5f8471256',
    patterns: [
      String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`,
    ],
  },
  199742: {
    encoding: 'o200k_base',
    sha256: '248178a3087ef65c97fa625f99e5b2af65907a46d612889cfc46efffb0744f60',
    patterns: [
      String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    ],
  },
};

/** @throws HeadlightError `model-invalid` for a file that does not have the parts of a tokenizer */
export async function readTokenizerJson(file: string): Promise<TokenizerJson> {
  const json = await readJson(file);
  if (!isTokenizer(json)) {
    throw new HeadlightError(
      'model-invalid',
      `${file} does not have the parts of a tokenizer (model, vocab, added_tokens …): copy or export it again.`,
    );
  }
  return json;
}

/**
 * Finds out which of gpt-tokenizer's encodings a `tokenizer.json` is, if its vocabulary, merges and pattern are exactly
 * those of one. Its post-processing, which adds tokens around a text, is left out of account.
 *
 * @returns null for any other tokenizer
 */
export async function recogniseEncoding(json: TokenizerJson): Promise<Encoding | null> {
  const { model } = json;
  const known = model.merges && KNOWN_MERGES[model.merges.length];
  if (!model.merges || known === undefined || mergesDigest(model.merges) !== known.sha256) {
    return null;
  }
  if (!cutsAs(known, json) || model.dropout || model.continuing_subword_prefix || model.end_of_word_suffix) {
    return null;
  }
  const special = new Map((json.added_tokens ?? []).map(({ id, content }) => [id, content]));
  const encoding = await openEncoding(variantOf(known.encoding, special));
  const addsOrdinary = json.added_tokens?.some(
    ({ id, special }) => special !== true && !encoding.specialTokens.has(id),
  );
  if (addsOrdinary || !hasVocabulary(encoding, model.vocab, special)) {
    return null;
  }
  return { ...encoding, specialTokens: new Map([...encoding.specialTokens, ...special]) };
}

/** The fingerprint of a list of merges. */
export function mergesDigest(merges: readonly Merge[]): string {
  const lines = merges.map((merge) => (Array.isArray(merge) ? merge.join(' ') : String(merge)));
  return createHash('sha256')
    .update(`${lines.join('\n')}\n`)
    .digest('hex');
}

/** Whether a text becomes the same pieces as with the encoding. */
function cutsAs(known: KnownMerges, { normalizer, pre_tokenizer }: TokenizerJson): boolean {
  const steps = pre_tokenizer?.pretokenizers ?? (pre_tokenizer ? [pre_tokenizer] : []);
  const byteLevel = steps.at(-1);
  const hasNormalizer = normalizer !== null && normalizer !== undefined;
  if (hasNormalizer || byteLevel?.type !== 'ByteLevel' || steps.length > 2 || byteLevel.add_prefix_space !== false) {
    return false;
  }
  const split = steps.length === 2 ? steps[0] : null;
  const cutsTwice = split !== null && byteLevel.use_regex !== false;
  const keepsPieces =
    split === null || (split.type === 'Split' && split.behavior === 'Isolated' && split.invert !== true);
  const pattern = split === null ? (byteLevel.use_regex === false ? undefined : null) : split.pattern?.Regex;
  return !cutsTwice && keepsPieces && pattern !== undefined && known.patterns.includes(pattern);
}

/** Encodings that differ from another in their special tokens alone. */
function variantOf(encoding: EncodingName, special: ReadonlyMap<number, string>): EncodingName {
  if (encoding === 'p50k_base' && special.get(50281) === '<|fim_prefix|>') {
    return 'p50k_edit';
  }
  if (encoding === 'o200k_base' && special.get(199998) === '<|startoftext|>') {
    return 'o200k_harmony';
  }
  return encoding;
}

/** Whether a vocabulary has all of the encoding's tokens, each with its id, and besides them special tokens only. */
function hasVocabulary(
  { vocabulary }: Encoding,
  vocab: TokenizerJson['model']['vocab'],
  special: ReadonlyMap<number, string>,
): boolean {
  if (isScored(vocab)) {
    return false;
  }
  const bytes = new Uint8Array(vocabulary.longest);
  let ordinary = 0;
  for (const token in vocab) {
    const id = vocab[token];
    if (special.get(id) === token) {
      continue;
    }
    const length = token.length <= bytes.length ? readByteLevel(token, bytes) : -1;
    if (length < 0 || vocabulary.find(bytes, 0, length) !== id) {
      return false;
    }
    ordinary++;
  }
  return ordinary === vocabulary.used;
}

/** Whether the parts that are read have the shape they are read with. */
function isTokenizer(json: unknown): json is TokenizerJson {
  if (!isObject(json) || !isObject(json.model) || !hasVocab(json.model)) {
    return false;
  }
  const added = json.added_tokens ?? [];
  const cutting = json.pre_tokenizer ?? {};
  return (
    Array.isArray(added) &&
    added.every((token) => isObject(token) && typeof token.id === 'number' && typeof token.content === 'string') &&
    isObject(cutting) &&
    (cutting.pretokenizers === undefined ||
      (Array.isArray(cutting.pretokenizers) && cutting.pretokenizers.every((step) => isObject(step))))
  );
}

function hasVocab({ vocab, merges }: Record<string, unknown>): boolean {
  return Array.isArray(vocab)
    ? vocab.length > 0 &&
        vocab.every((entry) => Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number')
    : isObject(vocab) && (merges === undefined || Array.isArray(merges));
}

/** Whether the vocabulary is a list of tokens with scores, as Unigram has it. */
export function isScored(
  vocab: TokenizerJson['model']['vocab'],
): vocab is readonly (readonly [token: string, score: number])[] {
  return Array.isArray(vocab);
}
