import { getEncodingParams } from 'gpt-tokenizer/modelParams';
import { Vocabulary } from './vocabulary';

/** The encodings of gpt-tokenizer. `gpt2` is another name for the first. */
export const ENCODING_NAMES = [
  'r50k_base',
  'p50k_base',
  'p50k_edit',
  'cl100k_base',
  'o200k_base',
  'o200k_harmony',
] as const;

export type EncodingName = (typeof ENCODING_NAMES)[number];

/** The encoding of that name, or null. */
export function encodingNamed(name: unknown): EncodingName | null {
  return name === 'gpt2' ? 'r50k_base' : (ENCODING_NAMES.find((known) => known === name) ?? null);
}

/** What makes up a byte-pair encoding. */
export interface Encoding {
  readonly name: EncodingName;
  /** The tokens that text can become; a token's id is also its rank among the merges. */
  readonly vocabulary: Vocabulary;
  /** Cuts a text into the pieces that are merged each for itself. It matches at every position, without looking behind. */
  readonly piecePattern: RegExp;
  /** Tokens that stand for something else than text, by id. */
  readonly specialTokens: ReadonlyMap<number, string>;
}

type Ranks = readonly (string | readonly number[])[];

/** Each vocabulary is a chunk of its own in the bundle, read when it is first wanted. */
const RANKS: Record<EncodingName, () => Promise<{ readonly default: Ranks }>> = {
  r50k_base: () => import('gpt-tokenizer/bpeRanks/r50k_base'),
  p50k_base: () => import('gpt-tokenizer/bpeRanks/p50k_base'),
  p50k_edit: () => import('gpt-tokenizer/bpeRanks/p50k_base'),
  cl100k_base: () => import('gpt-tokenizer/bpeRanks/cl100k_base'),
  o200k_base: () => import('gpt-tokenizer/bpeRanks/o200k_base'),
  o200k_harmony: () => import('gpt-tokenizer/bpeRanks/o200k_base'),
};

const opened = new Map<EncodingName, Promise<Encoding>>();

/** Opens an encoding, once in a process. */
export function openEncoding(name: EncodingName): Promise<Encoding> {
  let encoding = opened.get(name);
  if (encoding === undefined) {
    encoding = readEncoding(name);
    opened.set(name, encoding);
  }
  return encoding;
}

async function readEncoding(name: EncodingName): Promise<Encoding> {
  const ranks = (await RANKS[name]()).default;
  const { tokenSplitRegex, specialTokensEncoder } = getEncodingParams(name, () => []);
  return {
    name,
    vocabulary: new Vocabulary(ranks),
    piecePattern: withUnicodeSpaces(tokenSplitRegex),
    specialTokens: new Map([...(specialTokensEncoder ?? [])].map(([text, id]) => [id, text])),
  };
}

/**
 * The encodings were made with patterns in which `\s` is Unicode's white space. JavaScript's has U+FEFF besides, and lacks
 * U+0085.
 */
function withUnicodeSpaces({ source, flags }: RegExp): RegExp {
  return new RegExp(source.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}'), flags);
}
