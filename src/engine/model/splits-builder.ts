import type { TextRange, TokenSplits } from '../../protocol/tokens';

/** Collects tokens into columns that grow as needed. */
export class SplitsBuilder {
  #ids: Uint32Array;
  #starts: Uint32Array;
  #ends: Uint32Array;
  #byteOffsets: Uint32Array;
  #count = 0;
  #byteOffset: number;

  /**
   * @param length UTF-16 length of the text to come, from which the room is guessed
   * @param byteOffset of the first token
   */
  constructor(length: number, byteOffset = 0) {
    const capacity = (Math.max(0, length) >> 1) + 16;
    this.#ids = new Uint32Array(capacity);
    this.#starts = new Uint32Array(capacity);
    this.#ends = new Uint32Array(capacity);
    this.#byteOffsets = new Uint32Array(capacity);
    this.#byteOffset = byteOffset;
  }

  /** The token's id, its UTF-16 range and its length in bytes. */
  push(id: number, start: number, end: number, byteLength: number): void {
    const at = this.#count++;
    if (at === this.#ids.length) {
      this.#ids = doubled(this.#ids);
      this.#starts = doubled(this.#starts);
      this.#ends = doubled(this.#ends);
      this.#byteOffsets = doubled(this.#byteOffsets);
    }
    this.#ids[at] = id;
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#byteOffsets[at] = this.#byteOffset;
    this.#byteOffset += byteLength;
  }

  /** Bytes of the text that are in no token. */
  skip(byteLength: number): void {
    this.#byteOffset += byteLength;
  }

  /** The columns at their own size; with a range, of the tokens that overlap it. */
  finish(wanted?: TextRange): TokenSplits {
    let first = 0;
    let last = this.#count;
    if (wanted !== undefined) {
      while (first < last && this.#ends[first] <= wanted.from) {
        first++;
      }
      while (last > first && this.#starts[last - 1] >= wanted.to) {
        last--;
      }
    }
    const byteOffsets = new Uint32Array(last - first + 1);
    byteOffsets.set(this.#byteOffsets.subarray(first, last));
    byteOffsets[last - first] = last < this.#count ? this.#byteOffsets[last] : this.#byteOffset;
    return {
      ids: this.#ids.slice(first, last),
      starts: this.#starts.slice(first, last),
      ends: this.#ends.slice(first, last),
      byteOffsets,
    };
  }
}

function doubled(column: Uint32Array): Uint32Array {
  const larger = new Uint32Array(2 * column.length);
  larger.set(column);
  return larger;
}
