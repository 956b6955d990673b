import { HeadlightError } from '../../protocol/errors';

/** Steps between two powers of 2. */
const STEPS = 1024;
const STEP = Math.LN2 / STEPS;
const PER_STEP = 1 / STEP;
const SIXTH = 1 / 6;
/** 2^(−i / STEPS), and 2^−i as far as there are numbers for it. */
const FRACTIONS = Float64Array.from({ length: STEPS }, (_, i) => 2 ** (-i / STEPS));
const POWERS = Float64Array.from({ length: 1076 }, (_, i) => 2 ** -i);
/** Below this e^x is 0 in float64. */
const VANISHES = -745;

/**
 * e^x for x ≤ 0, as exact as `Math.exp` to 14 digits. A distribution over a vocabulary takes one of these for every token,
 * and this takes half the time: the nearest step from a table, and three terms of the series for the rest.
 */
export function expOfNegative(x: number): number {
  if (!(x > VANISHES)) {
    return Math.exp(x);
  }
  const steps = (-x * PER_STEP) | 0;
  const rest = x + steps * STEP;
  return POWERS[steps >> 10] * FRACTIONS[steps & (STEPS - 1)] * (1 + rest * (1 + rest * (0.5 + rest * SIXTH)));
}

/**
 * log Σ exp(l), in float64: a token's log probability is its logit less this, in nats.
 *
 * @param logits [V]
 * @throws HeadlightError `model-invalid` as `largestLogit` does
 */
export function logSumExp(logits: Float32Array): number {
  const largest = largestLogit(logits);
  let sum = 0;
  for (let id = 0; id < logits.length; id++) {
    sum += expOfNegative(logits[id] - largest);
  }
  return largest + Math.log(sum);
}

/**
 * The largest of the logits. −∞ is a token that the model rules out, and allowed.
 *
 * @param logits [V]
 * @throws HeadlightError `model-invalid` where a logit is not a number, one is +∞, or all are −∞
 */
export function largestLogit(logits: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    // Written so that NaN is taken too, and stays.
    if (!(logit <= largest)) {
      largest = logit;
      if (!(logit < Number.POSITIVE_INFINITY)) {
        break;
      }
    }
  }
  if (!Number.isFinite(largest)) {
    throw new HeadlightError(
      'model-invalid',
      `The model gave no distribution (its largest logit is ${largest}): its weights are damaged or overflow in half precision, so try another export of it.`,
    );
  }
  return largest;
}
