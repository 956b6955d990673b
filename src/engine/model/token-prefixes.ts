import type { Tokenizer } from './tokenizer';

/** The vocabulary in the order of its bytes, so that all tokens that begin with the same bytes stand together. */
export class TokenPrefixes {
  /** Only tokens that stand for text. */
  readonly #sorted: Uint32Array;

  constructor(private readonly tokenizer: Tokenizer) {
    const ids = Uint32Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter((id) => this.isText(id));
    // Most are told apart by their first bytes, and numbers are compared faster than those.
    const keys = new Float64Array(tokenizer.vocabSize);
    for (const id of ids) {
      keys[id] = beginning(tokenizer.bytesOf(id));
    }
    this.#sorted = ids.sort((a, b) => keys[a] - keys[b] || Buffer.compare(tokenizer.bytesOf(a), tokenizer.bytesOf(b)));
  }

  /** Whether the token stands for text: neither for something else nor for nothing. */
  isText(id: number): boolean {
    return this.tokenizer.specialTokenOf(id) === null && this.tokenizer.bytesOf(id).length > 0;
  }

  /** The ids of all tokens that begin with these bytes and go on behind them. */
  longerThan(prefix: Uint8Array): Uint32Array {
    const from = this.#firstWhere((bytes) => Buffer.compare(bytes, prefix) > 0);
    const to = this.#firstWhere((bytes) => Buffer.compare(bytes.subarray(0, prefix.length), prefix) > 0);
    return this.#sorted.subarray(from, to);
  }

  /** The first place of the order from which on something holds for the tokens' bytes. */
  #firstWhere(holds: (bytes: Uint8Array) => boolean): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.tokenizer.bytesOf(this.#sorted[middle]))) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
}

/** As many bytes as a number holds exactly, as one that orders them. */
const KEY_BYTES = 6;

function beginning(bytes: Uint8Array): number {
  let key = 0;
  for (let index = 0; index < KEY_BYTES; index++) {
    key = key * 256 + (bytes[index] ?? 0);
  }
  return key;
}
