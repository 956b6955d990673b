import type { Vocabulary } from './vocabulary';

/** Above every rank: these two neighbours do not merge. */
const NO_MERGE = 0x7fffffff;

/**
 * Byte-pair merging of one piece: of all neighbouring parts, the two whose concatenation has the lowest rank become
 * one, the leftmost of equals first, until none can. With a heap instead of a scan over all neighbours, so that a piece
 * of n bytes costs n log n: a megabyte of one repeated letter is one piece.
 */
export class BytePairMerger {
  readonly #vocabulary: Vocabulary;
  /** Part after the one that starts at byte i; -1 stands before the first. Valid at the starts of parts. */
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  /** Rank of the token that the part at byte i and its next would become. */
  #rank = new Int32Array(0);
  /** Smallest first: rank × 2³² + byte. An entry whose rank is no longer that of its byte is void. */
  #heap = new Float64Array(0);
  #heapSize = 0;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /**
   * Merges the first `length` bytes of `bytes`.
   *
   * @returns the starts of the parts, in bytes, through `startAfter`: 0, startAfter(0), … until `length`
   */
  merge(bytes: Uint8Array, length: number): void {
    this.#reserve(length);
    const next = this.#next;
    const previous = this.#previous;
    const rank = this.#rank;
    this.#heapSize = 0;
    for (let i = 0; i < length; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    for (let i = 0; i < length; i++) {
      this.#rankAt(bytes, i, length);
    }
    while (this.#heapSize > 0) {
      const key = this.#pop();
      const at = key % 2 ** 32;
      if (rank[at] !== (key - at) / 2 ** 32) {
        continue;
      }
      const merged = next[at];
      const after = next[merged];
      next[at] = after;
      rank[merged] = NO_MERGE;
      if (after < length) {
        previous[after] = at;
      }
      this.#rankAt(bytes, at, length);
      if (previous[at] >= 0) {
        this.#rankAt(bytes, previous[at], length);
      }
    }
  }

  /** After `merge`: where the part that follows the one starting at byte `start` starts. */
  startAfter(start: number): number {
    return this.#next[start];
  }

  #rankAt(bytes: Uint8Array, at: number, length: number): void {
    const second = this.#next[at];
    const found = second < length ? this.#vocabulary.find(bytes, at, this.#next[second]) : -1;
    const rank = found < 0 ? NO_MERGE : found;
    this.#rank[at] = rank;
    if (rank !== NO_MERGE) {
      this.#push(rank * 2 ** 32 + at);
    }
  }

  #push(key: number): void {
    const heap = this.#heap;
    let hole = this.#heapSize++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (heap[parent] <= key) {
        break;
      }
      heap[hole] = heap[parent];
      hole = parent;
    }
    heap[hole] = key;
  }

  #pop(): number {
    const heap = this.#heap;
    const top = heap[0];
    const size = --this.#heapSize;
    const last = heap[size];
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) {
        break;
      }
      if (child + 1 < size && heap[child + 1] < heap[child]) {
        child++;
      }
      if (heap[child] >= last) {
        break;
      }
      heap[hole] = heap[child];
      hole = child;
    }
    heap[hole] = last;
    return top;
  }

  #reserve(length: number): void {
    if (this.#next.length < length) {
      const capacity = Math.max(256, 2 ** Math.ceil(Math.log2(length)));
      this.#next = new Int32Array(capacity);
      this.#previous = new Int32Array(capacity);
      this.#rank = new Int32Array(capacity);
      // One entry a byte at the start, and at most two more for each of the at most length − 1 merges.
      this.#heap = new Float64Array(3 * capacity);
    }
  }
}
