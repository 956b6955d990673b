import { HeadlightError } from '../../protocol/errors';

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
    sum += Math.exp(logits[id] - largest);
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
