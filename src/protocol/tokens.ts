/**
 * How a text falls into tokens. Column-wise, since a file has many: entry i of each column is token i.
 *
 * `starts`/`ends` are UTF-16 offsets into the text that was given. A token that holds only some bytes of a character
 * covers that whole character, so tokens that share one overlap: `starts[i + 1] < ends[i]`.
 */
export interface TokenSplits {
  readonly ids: Uint32Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Offset of each token's first byte in the text's UTF-8 form; one more entry than tokens, the last is the byte length. */
  readonly byteOffsets: Uint32Array;
}

/** One token of a passage. */
export interface Token {
  /** Position in the sequence that the model reads, from 0. */
  readonly index: number;
  readonly id: number;
  /** The token's own bytes as text; U+FFFD stands for bytes that are not a whole character. */
  readonly text: string;
  /** The token's bytes, each 0–255. */
  readonly bytes: readonly number[];
  /** UTF-16 offset into the text given, inclusive. */
  readonly start: number;
  /** UTF-16 offset into the text given, exclusive. */
  readonly end: number;
  /** True for the token that the model's configuration puts before a text; it covers none of it. */
  readonly added?: boolean;
  /** True for a token that stands for something else than text, such as `<|im_start|>`. */
  readonly special?: boolean;
}

/** A range of a text in UTF-16 code units, from inclusive, to exclusive. */
export interface TextRange {
  readonly from: number;
  readonly to: number;
}
