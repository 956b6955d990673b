/** Sign, exponent and 7 bits of a float's fraction: fine enough that few logits share a bucket near the top. */
const BUCKET_SHIFT = 16;
const BUCKETS = 1 << 16;
const SMALLEST_PREFIX = 256;
/** So few places are found by looking at every logit once: who takes the most probable token wants no more of them. */
const FIRST_PLACES = 8;

/**
 * Token ids, largest logit first, equal ones by lower id. Only as much of the order is worked out as is asked for, since
 * a vocabulary has up to 260,000 tokens and a sampler keeps a few dozen of them.
 */
export class Ranking {
  /** V, the vocabulary's size. */
  readonly size: number;
  readonly #logits: Float32Array;
  #buckets: Buckets | null = null;
  /** The beginning of the order. */
  #ordered = new Uint32Array(0);

  /** @param logits [V], none of them NaN */
  constructor(logits: Float32Array) {
    this.size = logits.length;
    this.#logits = logits;
  }

  /** The id at a place of the order, from 0. */
  idAt(place: number): number {
    if (place >= this.#ordered.length) {
      this.#ordered = place < FIRST_PLACES ? firstPlaces(this.#logits) : this.#order(place + 1);
    }
    return this.#ordered[place];
  }

  #order(count: number): Uint32Array<ArrayBuffer> {
    this.#buckets ??= new Buckets(this.#logits);
    return this.#buckets.order(Math.min(this.size, Math.max(count, 4 * this.#ordered.length, SMALLEST_PREFIX)));
  }
}

function firstPlaces(logits: Float32Array): Uint32Array<ArrayBuffer> {
  const ids = new Uint32Array(Math.min(FIRST_PLACES, logits.length));
  let found = 0;
  let lowest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    if (found === ids.length && logit <= lowest) {
      continue;
    }
    found = Math.min(found + 1, ids.length);
    let place = found - 1;
    for (; place > 0 && logits[ids[place - 1]] < logit; place--) {
      ids[place] = ids[place - 1];
    }
    ids[place] = id;
    lowest = logits[ids[found - 1]];
  }
  return ids;
}

/** The logits by the beginning of their bits, so that the largest are found without sorting all. */
class Buckets {
  /** By id: rises where the logit falls. */
  readonly #keys: Uint32Array;
  /** How many keys begin with the bucket's 16 bits. */
  readonly #counts = new Uint32Array(BUCKETS);

  constructor(logits: Float32Array) {
    this.#keys = descendingKeys(logits);
    for (const key of this.#keys) {
      this.#counts[key >>> BUCKET_SHIFT]++;
    }
  }

  /** At least the first `count` places: the tokens of as many whole buckets as that takes. */
  order(count: number): Uint32Array<ArrayBuffer> {
    let buckets = 0;
    let selected = 0;
    while (selected < count) {
      selected += this.#counts[buckets++];
    }
    const ids = new Uint32Array(selected);
    let found = 0;
    for (let id = 0; id < this.#keys.length; id++) {
      if (this.#keys[id] >>> BUCKET_SHIFT < buckets) {
        ids[found++] = id;
      }
    }
    return sortByKey(ids, this.#keys);
  }
}

/** Unsigned integers that rise where the floats fall. */
function descendingKeys(logits: Float32Array): Uint32Array {
  const bits = new Uint32Array(logits.buffer, logits.byteOffset, logits.length);
  const keys = new Uint32Array(logits.length);
  for (let id = 0; id < keys.length; id++) {
    // −0 equals 0, and its bits are the sign alone.
    const value = bits[id] === 0x80000000 ? 0 : bits[id];
    // A negative float's bits rise as it falls, and its sign bit is set already; a positive one's are turned round.
    keys[id] = value & 0x80000000 ? value : ~value & 0x7fffffff;
  }
  return keys;
}

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/** Radix sort, which leaves equal keys in the order they had: by id. */
function sortByKey(ids: Uint32Array<ArrayBuffer>, keys: Uint32Array): Uint32Array<ArrayBuffer> {
  let from = ids;
  let to = new Uint32Array(ids.length);
  const positions = new Uint32Array(DIGITS);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    positions.fill(0);
    for (let i = 0; i < from.length; i++) {
      positions[(keys[from[i]] >>> shift) & (DIGITS - 1)]++;
    }
    let start = 0;
    for (let digit = 0; digit < DIGITS; digit++) {
      const count = positions[digit];
      positions[digit] = start;
      start += count;
    }
    for (let i = 0; i < from.length; i++) {
      const digit = (keys[from[i]] >>> shift) & (DIGITS - 1);
      to[positions[digit]++] = from[i];
    }
    [from, to] = [to, from];
  }
  return from;
}
