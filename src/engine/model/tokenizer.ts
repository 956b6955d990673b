import type { TextRange, TokenSplits } from '../../protocol/tokens';

/** Turns text into the ids that a model reads, byte-exactly, and ids into bytes. */
export interface Tokenizer {
  /** The model's vocabulary size: ids are 0…vocabSize − 1. Some of them may stand for nothing (padding). */
  readonly vocabSize: number;
  /** The encoding's name, e.g. `r50k_base`, or the kind of a tokenizer without one: `BPE` or `Unigram`. */
  readonly encoding: string;
  /** The id that is put before a text, as the model was trained to read it; null where none is. */
  readonly startToken: number | null;

  /**
   * All tokens of a text.
   *
   * @param readsSpecial whether the name of a special token, a literal `<|endoftext|>`, is that token; otherwise it is text
   * like any other, and no special token is ever produced
   */
  split(text: string, readsSpecial?: boolean): TokenSplits;

  /**
   * The tokens that overlap a range, with the ids and offsets they have in `split(text)`, reading only the text from
   * the nearest certain boundary before the range to its end. Offsets are those of the whole text.
   */
  splitRange(text: string, wanted: TextRange, readsSpecial?: boolean): TokenSplits;

  /**
   * A token's bytes; those of its name for a special token, none for an id that stands for nothing.
   *
   * @throws HeadlightError `argument-invalid` for an id outside the vocabulary
   */
  bytesOf(id: number): Uint8Array;

  /** A token's bytes as text; U+FFFD stands for bytes that are not a whole character. Throws as `bytesOf` does. */
  textOf(id: number): string;

  /** The name of a special token, such as `<|endoftext|>`; null for an ordinary one. Throws as `bytesOf` does. */
  specialTokenOf(id: number): string | null;
}
