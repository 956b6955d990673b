const textEncoder = new TextEncoder();

/**
 * The tokens of a byte-level vocabulary, both ways: id → bytes, and bytes → id through a hash table over the bytes
 * themselves. Typed arrays, since a vocabulary has up to 200,000 tokens and is built while someone waits.
 */
export class Vocabulary {
  /** One more than the largest id. */
  readonly size: number;
  /** How many ids have a token. */
  readonly used: number;
  /** Longest token, in bytes. */
  readonly longest: number;
  readonly #bytes: Uint8Array;
  /** Token id's bytes are #bytes[#starts[id]…#starts[id + 1]]; none for an id that is not used. */
  readonly #starts: Uint32Array;
  /** Open addressing: id + 1, or 0 for an empty slot. */
  readonly #slots: Uint32Array;
  readonly #slotMask: number;

  /** @param tokens by id: a string, or bytes where they are not valid UTF-8; a hole for an id that is not used */
  constructor(tokens: readonly (string | readonly number[] | undefined)[]) {
    this.size = tokens.length;
    const { bytes, starts } = pack(tokens);
    this.#bytes = bytes;
    this.#starts = starts;
    const slotCount = 2 ** Math.ceil(Math.log2(2 * this.size + 2));
    this.#slots = new Uint32Array(slotCount);
    this.#slotMask = slotCount - 1;
    let used = 0;
    let longest = 0;
    for (let id = 0; id < this.size; id++) {
      const length = starts[id + 1] - starts[id];
      if (length > 0) {
        this.#insert(id);
        used++;
        longest = Math.max(longest, length);
      }
    }
    this.used = used;
    this.longest = longest;
  }

  /** The bytes of a token: a view, not to be written to. Empty for an id that is not used. */
  bytesOf(id: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[id], this.#starts[id + 1]);
  }

  /** The id of the token with exactly the bytes from…to of `source`, or -1. */
  find(source: Uint8Array, from: number, to: number): number {
    const length = to - from;
    if (length > this.longest) {
      return -1;
    }
    const bytes = this.#bytes;
    const starts = this.#starts;
    for (let slot = hash(source, from, to) & this.#slotMask; ; slot = (slot + 1) & this.#slotMask) {
      const id = this.#slots[slot] - 1;
      if (id < 0) {
        return -1;
      }
      const start = starts[id];
      if (starts[id + 1] - start === length) {
        let i = 0;
        while (i < length && bytes[start + i] === source[from + i]) {
          i++;
        }
        if (i === length) {
          return id;
        }
      }
    }
  }

  #insert(id: number): void {
    let slot = hash(this.#bytes, this.#starts[id], this.#starts[id + 1]) & this.#slotMask;
    while (this.#slots[slot] !== 0) {
      slot = (slot + 1) & this.#slotMask;
    }
    this.#slots[slot] = id + 1;
  }
}

function pack(tokens: readonly (string | readonly number[] | undefined)[]) {
  const starts = new Uint32Array(tokens.length + 1);
  let bytes = new Uint8Array(tokens.length * 8 + 1024);
  let end = 0;
  for (let id = 0; id < tokens.length; id++) {
    starts[id] = end;
    const token = tokens[id] ?? '';
    if (end + 3 * token.length > bytes.length) {
      const larger = new Uint8Array(2 * bytes.length + 3 * token.length);
      larger.set(bytes);
      bytes = larger;
    }
    if (typeof token === 'string') {
      end += textEncoder.encodeInto(token, bytes.subarray(end)).written;
    } else {
      bytes.set(token, end);
      end += token.length;
    }
  }
  starts[tokens.length] = end;
  return { bytes: bytes.slice(0, end), starts };
}

/** FNV-1a, 32 bits, with its high bits folded into the low ones that choose the slot. */
function hash(bytes: Uint8Array, from: number, to: number): number {
  let h = 0x811c9dc5;
  for (let i = from; i < to; i++) {
    h = Math.imul(h ^ bytes[i], 0x01000193);
  }
  return (h ^ (h >>> 15)) >>> 0;
}
