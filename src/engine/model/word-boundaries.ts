/** Places where a text can be cut without changing its tokens. */
export interface WordBoundaries {
  /** The last one up to `offset`; 0 where there is none. */
  before(text: string, offset: number): number;
  /** The first one from `offset` on; the text's end where there is none. */
  after(text: string, offset: number): number;
  /** The parts of a normalized text between the boundaries in it. */
  cut(normalized: string): readonly string[];
}

export interface VocabularyShape {
  /** All tokens that text can become, as the vocabulary writes them. */
  readonly tokens: Iterable<string>;
  /** Added tokens, as text. */
  readonly added: readonly string[];
  /** How the vocabulary writes a space. */
  readonly mark: string;
  /** The types of the steps that cut a text before it is merged. */
  readonly preTokenizers: readonly string[];
}

/** Steps that look at characters and not at places in the text. */
const LOCAL_STEPS = new Set(['ByteLevel', 'Digits', 'Metaspace', 'Punctuation', 'Split']);

/**
 * Between a letter and a space a text can be cut, unless some token reaches over just that: what is merged, or chosen, on
 * one side then has nothing to do with the other. The usual patterns for pieces never take both into one.
 */
export function wordBoundaries({ tokens, added, mark, preTokenizers }: VocabularyShape): WordBoundaries {
  const crossing = new RegExp(`[^${mark}]${mark}`, 'u');
  const isLocal = preTokenizers.every((type) => LOCAL_STEPS.has(type)) && !added.some((text) => /\p{L} /u.test(text));
  const isSafe = isLocal && !someMatch(tokens, crossing);
  const isBoundary = (text: string, at: number) =>
    text[at] === ' ' && /\p{L}$/u.test(text.slice(Math.max(0, at - 2), at));
  const inside = new RegExp(`(?<=[^${mark}])(?=${mark})`, 'u');
  return {
    before(text, offset) {
      let at = isSafe ? Math.min(offset, text.length - 1) : 0;
      while (at > 0 && !isBoundary(text, at)) {
        at--;
      }
      return Math.max(0, at);
    },
    after(text, offset) {
      let at = isSafe ? Math.max(1, offset) : text.length;
      while (at < text.length && !isBoundary(text, at)) {
        at++;
      }
      return Math.min(at, text.length);
    },
    cut: (normalized) => (isSafe ? normalized.split(inside) : [normalized]),
  };
}

function someMatch(tokens: Iterable<string>, pattern: RegExp): boolean {
  for (const token of tokens) {
    if (pattern.test(token)) {
      return true;
    }
  }
  return false;
}
