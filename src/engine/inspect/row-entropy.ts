/** Bits of a float32 behind its exponent. */
const FRACTION_BITS = 23;
/** Steps between two powers of 2: the first bits of the fraction. */
const STEP_BITS = 10;
const STEPS = 1 << STEP_BITS;
const REST_BITS = FRACTION_BITS - STEP_BITS;
const THIRD = 1 / 3;
const REST_MASK = (1 << REST_BITS) - 1;
/** The smallest float32 of full precision: what is below adds less than 1e-35 to an entropy. */
const SMALLEST = 0x00800000;
/** The float32 for infinity: from here on, and with a sign, it is no weight. */
const INFINITE = 0x7f800000;

/** log2 of each step, and what the bits behind a step are multiplied by to be a part of it. */
const LOGARITHMS = Float64Array.from({ length: STEPS }, (_, step) => Math.log2(1 + step / STEPS));
const PARTS = Float64Array.from({ length: STEPS }, (_, step) => 1 / (1 << FRACTION_BITS) / (1 + step / STEPS));

/**
 * −Σ w·log2 w of each row of weights in turn, added up. As exact as with `Math.log2` to 12 digits, in half the time: every
 * weight of every head takes a logarithm, which is read from its bits, a table and four terms of the series.
 *
 * @param weights [T, T], from 0 to 1
 */
export function sumOfEntropies(weights: Float32Array): number {
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  let entropy = 0;
  for (let at = 0; at < bits.length; at++) {
    const number = bits[at];
    if (number >= SMALLEST && number < INFINITE) {
      const step = (number >>> REST_BITS) & (STEPS - 1);
      const rest = (number & REST_MASK) * PARTS[step];
      const logarithm = rest * (1 - rest * (0.5 - rest * (THIRD - 0.25 * rest))) * Math.LOG2E + LOGARITHMS[step];
      entropy -= weights[at] * ((number >>> FRACTION_BITS) - 127 + logarithm);
    }
  }
  return entropy;
}
