import type { TextRange, TokenSplits } from '../../protocol/tokens';
import { anyOf } from './any-of';
import { BytePairMerger } from './byte-pair-merger';
import type { Encoding } from './encoding';
import { PieceBytes } from './piece-bytes';
import { SplitsBuilder } from './splits-builder';
import { refuseUnknownId, textOfBytes } from './token';
import type { Tokenizer } from './tokenizer';
import type { Vocabulary } from './vocabulary';

/** Tokens of a byte-level byte-pair encoding: the text is cut into pieces by a pattern, each piece is merged for itself. */
export class BytePairTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly encoding: string;
  readonly startToken: number | null;
  readonly #vocabulary: Vocabulary;
  readonly #specialTokens: ReadonlyMap<number, string>;
  readonly #specialIds: ReadonlyMap<string, number>;
  /** Finds their names, the longest where several begin at one place. */
  readonly #specialPattern: RegExp;
  /** Sticky: each match begins where the last one ended. */
  readonly #piecePattern: RegExp;
  readonly #merger: BytePairMerger;
  readonly #piece = new PieceBytes();

  /**
   * @param vocabSize the model's, which may be larger than the encoding's
   * @param startToken the id to put before a text, or null
   */
  constructor(encoding: Encoding, vocabSize: number, startToken: number | null = null) {
    this.vocabSize = vocabSize;
    this.startToken = startToken;
    this.encoding = encoding.name;
    this.#vocabulary = encoding.vocabulary;
    this.#specialTokens = encoding.specialTokens;
    this.#specialIds = new Map([...encoding.specialTokens].map(([id, name]) => [name, id]));
    this.#specialPattern = anyOf([...this.#specialIds.keys()]);
    this.#piecePattern = new RegExp(encoding.piecePattern.source, 'uy');
    this.#merger = new BytePairMerger(encoding.vocabulary);
  }

  split(text: string, readsSpecial = false): TokenSplits {
    const splits = new SplitsBuilder(text.length);
    this.#splitSections(text, 0, text.length, readsSpecial, splits);
    return splits.finish();
  }

  splitRange(text: string, wanted: TextRange, readsSpecial = false): TokenSplits {
    const anchor = boundaryBefore(text, wanted.from);
    const splits = new SplitsBuilder(wanted.to - anchor, Buffer.byteLength(text.slice(0, anchor)));
    this.#splitSections(text, anchor, Math.min(wanted.to, text.length), readsSpecial, splits);
    return splits.finish(wanted);
  }

  bytesOf(id: number): Uint8Array {
    const special = this.specialTokenOf(id);
    if (special !== null) {
      return new TextEncoder().encode(special);
    }
    return id < this.#vocabulary.size ? this.#vocabulary.bytesOf(id) : new Uint8Array(0);
  }

  textOf(id: number): string {
    return textOfBytes(this.bytesOf(id));
  }

  specialTokenOf(id: number): string | null {
    refuseUnknownId(id, this.vocabSize);
    return this.#specialTokens.get(id) ?? null;
  }

  /** Cuts out special tokens where they are read, and splits what lies between them, each part as a text of its own. */
  #splitSections(text: string, start: number, end: number, readsSpecial: boolean, splits: SplitsBuilder): void {
    let from = start;
    for (const { index, 0: name } of readsSpecial ? text.slice(start).matchAll(this.#specialPattern) : []) {
      const at = start + index;
      // The patterns look ahead: they are not to see what follows the part.
      this.#splitPieces(text.slice(0, at), from, Math.min(at, end), splits);
      if (at >= end) {
        return;
      }
      from = at + name.length;
      splits.push(this.#specialIds.get(name)!, at, from, Buffer.byteLength(name));
    }
    this.#splitPieces(text, from, end, splits);
  }

  /** Splits the pieces from `start`, which is where one begins, up to the one that reaches `end`. */
  #splitPieces(text: string, start: number, end: number, splits: SplitsBuilder): void {
    const pattern = this.#piecePattern;
    const piece = this.#piece;
    pattern.lastIndex = start;
    while (pattern.lastIndex < end) {
      const from = pattern.lastIndex;
      if (!pattern.test(text)) {
        throw new Error(`the pattern of ${this.encoding} does not match at ${from}`);
      }
      piece.encode(text, from, pattern.lastIndex);
      const id = this.#vocabulary.find(piece.bytes, 0, piece.length);
      if (id >= 0) {
        splits.push(id, from, pattern.lastIndex, piece.length);
      } else {
        this.#splitPiece(splits);
      }
    }
  }

  #splitPiece(splits: SplitsBuilder): void {
    const piece = this.#piece;
    this.#merger.merge(piece.bytes, piece.length);
    for (let at = 0; at < piece.length; ) {
      const after = this.#merger.startAfter(at);
      const id = this.#vocabulary.find(piece.bytes, at, after);
      splits.push(id, piece.characterStart(at), piece.characterEnd(after - 1), after - at);
      at = after;
    }
  }
}

/**
 * The last offset up to `offset` where a piece certainly begins: after a letter or digit and before whitespace, which
 * none of the encodings' patterns takes into one piece. From there on the pieces are those of the whole text, because
 * the patterns look ahead but never behind.
 */
function boundaryBefore(text: string, offset: number): number {
  for (let at = Math.min(offset, text.length - 1); at > 0; at--) {
    if (isWhitespace(text, at) && endsWithLetterOrDigit(text, at)) {
      return at;
    }
  }
  return 0;
}

function isWhitespace(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code < 0x80 ? code === 0x20 || (code >= 0x09 && code <= 0x0d) : /\s/.test(text[at]);
}

function endsWithLetterOrDigit(text: string, end: number): boolean {
  const code = text.charCodeAt(end - 1);
  if (code < 0x80) {
    return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39);
  }
  return /[\p{L}\p{N}]$/u.test(text.slice(Math.max(0, end - 2), end));
}
