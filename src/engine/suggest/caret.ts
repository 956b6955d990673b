import type { TokenPrefixes } from '../model/token-prefixes';
import type { Tokenizer } from '../model/tokenizer';

/** The tokens of a text that ends at a caret, which rarely stands where a token ends. */
export interface CaretText {
  /** As the tokenizer splits the text, behind the token that the model is used to find before one. */
  readonly ids: readonly number[];
  /**
   * How many of them may be the beginning of a token that is not written to its end yet: `con`, `so` of `console`. From
   * each of them on there are tokens that begin with all that is typed there and go on.
   */
  readonly open: number;
  /**
   * The text without its last character, where that is white space behind white space: it goes with the word that
   * follows, as in `···return` after an indentation, while the tokenizer takes it for a part of the indentation. Null
   * elsewhere.
   */
  readonly withoutLast: readonly number[] | null;
}

/** Longer ones than this were not seen: a word that is split into more tokens is not going to be a single one. */
const MOST_OPEN = 4;

/**
 * @param windowStart given the tokens, the first of those that the model is to read
 * @param readsSpecial as `Tokenizer.split` has it
 */
export function readCaret(
  text: string,
  tokenizer: Tokenizer,
  prefixes: TokenPrefixes,
  windowStart: (ids: Uint32Array) => number,
  readsSpecial = false,
): CaretText {
  const split = tokenizer.split(text, readsSpecial).ids;
  const start = windowStart(split);
  const lead = tokenizer.startToken === null ? [] : [tokenizer.startToken];
  const ids = [...lead, ...split.subarray(start)];
  let open = 0;
  // The first token of all is given: nothing predicts it.
  for (let count = 1; count <= Math.min(MOST_OPEN, ids.length - 1); count++) {
    if (prefixes.longerThan(bytesOf(ids.slice(-count), tokenizer)).length > 0) {
      open = count;
    }
  }
  const shorter = /\s[ \t]$/.test(text)
    ? [...lead, ...tokenizer.split(text.slice(0, -1), readsSpecial).ids.subarray(start)]
    : [];
  let shared = 0;
  while (shared < shorter.length && shorter[shared] === ids[shared]) {
    shared++;
  }
  // Both are weighed by what the model says from where they part.
  const fits = shared > 0 && ids.length - shared <= MOST_OPEN;
  return {
    ids,
    open: fits ? Math.max(open, ids.length - shared) : open,
    withoutLast: fits ? shorter : null,
  };
}

/** What the tokens spell together. */
export function bytesOf(ids: readonly number[], tokenizer: Tokenizer): Uint8Array {
  return Buffer.concat(ids.map((id) => tokenizer.bytesOf(id)));
}
