import { HeadlightError } from '../../protocol/errors';
import { expOfNegative } from '../sampling/softmax';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** What the model made of one token of a passage; see `TokenReading` for the meaning of each. */
export interface TokenScore {
  readonly probability: number | null;
  readonly rank: number | null;
  readonly surprisal: number | null;
  readonly entropy: number;
}

/** About 10 ms of work: how long a cancelled request may go on. */
const LOGITS_BETWEEN_PAUSES = 2_000_000;

/**
 * Scores every token of a passage against the model's prediction for its position, over the whole vocabulary and in
 * float64.
 *
 * @param logits [T, V], row t predicts token t + 1
 * @param ids the T tokens
 */
export async function scoreTokens(
  logits: Float32Array,
  ids: ArrayLike<number>,
  cancellation?: Cancellation,
): Promise<TokenScore[]> {
  const length = ids.length;
  const vocabSize = logits.length / length;
  const rowsBetweenPauses = Math.max(1, Math.floor(LOGITS_BETWEEN_PAUSES / vocabSize));
  const predictions: Prediction[] = [];
  for (let t = 0; t < length; t++) {
    if (t % rowsBetweenPauses === 0) {
      await pauseUnlessCancelled(cancellation);
    }
    const row = logits.subarray(t * vocabSize, (t + 1) * vocabSize);
    predictions.push(predict(row, t + 1 < length ? ids[t + 1] : null, t));
  }
  return predictions.map(({ entropy }, t) => {
    const before = t > 0 ? predictions[t - 1] : null;
    return {
      probability: before?.probability ?? null,
      rank: before?.rank ?? null,
      surprisal: before?.surprisal ?? null,
      entropy,
    };
  });
}

interface Prediction {
  /** Of the token that really follows; null at the last position. */
  readonly probability: number | null;
  readonly rank: number | null;
  readonly surprisal: number | null;
  readonly entropy: number;
}

function predict(logits: Float32Array, next: number | null, position: number): Prediction {
  let largest = Number.NEGATIVE_INFINITY;
  for (let v = 0; v < logits.length; v++) {
    if (logits[v] > largest) {
      largest = logits[v];
    }
  }
  const nextLogit = next === null ? Number.POSITIVE_INFINITY : logits[next];
  let sum = 0;
  let weighted = 0;
  let above = 0;
  for (let v = 0; v < logits.length; v++) {
    const logit = logits[v];
    const shifted = logit - largest;
    const mass = expOfNegative(shifted);
    sum += mass;
    // exp(-∞) is 0, but 0 · -∞ is not a number.
    if (mass > 0) {
      weighted += mass * shifted;
    }
    if (logit > nextLogit) {
      above++;
    }
  }
  if (!(sum >= 1 && Number.isFinite(sum))) {
    throw new HeadlightError(
      'model-invalid',
      `The model's logits at position ${position} are not finite numbers; its weights or its precision do not suit this device.`,
    );
  }
  const logSum = Math.log(sum);
  // H = log Σe − Σ p·x, both shifted by the largest logit; never below zero by rounding.
  const entropy = Math.max(0, (logSum - weighted / sum) / Math.LN2);
  if (next === null) {
    return { probability: null, rank: null, surprisal: null, entropy };
  }
  const logProbability = nextLogit - largest - logSum;
  return {
    probability: Math.exp(logProbability),
    rank: above + 1,
    surprisal: Math.max(0, -logProbability / Math.LN2),
    entropy,
  };
}
