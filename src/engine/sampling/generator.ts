const MASK = (1n << 64n) - 1n;
const INCREMENT = 0x9e3779b97f4a7c15n;

/**
 * SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; constants and form
 * of Vigna's splitmix64.c, https://prng.di.unimi.it/splitmix64.c). Seeds that differ by one bit give unrelated numbers
 * from the first on, which matters where a seed is used for a single draw.
 */
export class Generator {
  #state: bigint;

  /**
   * @param seed an integer that a number holds exactly
   * @param skipped how many of its numbers are passed over
   */
  constructor(seed: number, skipped = 0) {
    this.#state = BigInt.asUintN(64, BigInt(seed) + BigInt(skipped) * INCREMENT);
  }

  /** The next 64 bits, as an unsigned integer. */
  nextBits(): bigint {
    this.#state = (this.#state + INCREMENT) & MASK;
    let z = this.#state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return z ^ (z >> 31n);
  }

  /** The next number in [0, 1), evenly spread over the multiples of 2⁻⁵³. */
  next(): number {
    return Number(this.nextBits() >> 11n) * 2 ** -53;
  }
}
