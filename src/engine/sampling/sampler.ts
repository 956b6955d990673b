import type { CutRule, SamplerSettings } from '../../protocol/trace';
import { rankDescending } from './ranking';
import { checkSettings } from './settings';
import { largestLogit } from './softmax';

/** What the sampler makes of a model's distribution. */
export interface SampledDistribution {
  /** All token ids, most probable first, equal ones by lower id. [V] */
  readonly order: Uint32Array;
  /** The first so many of `order` are kept. */
  readonly kept: number;
  /** The rule that left the fewest tokens; null where all are kept. */
  readonly cut: CutRule | null;
  /** After renormalising: of the first `kept` of `order`, in that order; sums to 1. */
  readonly probabilities: Float64Array;
}

/**
 * Applies the sampler over the whole vocabulary, in this order: divide the logits by the temperature; keep the top-k;
 * softmax; min-p; top-p, which keeps the token that crosses p; renormalise. Every rule keeps the most probable tokens, so
 * what is kept is always a beginning of `order`.
 *
 * @param logits [V], as the model gave them
 * @throws HeadlightError `argument-invalid` for impossible settings, `model-invalid` for logits that are no distribution
 */
export function applySampler(logits: Float32Array, settings: SamplerSettings): SampledDistribution {
  checkSettings(settings);
  const largest = largestLogit(logits);
  const order = rankDescending(logits);
  const size = logits.length;
  if (settings.temperature === 0) {
    return { order, kept: 1, cut: size === 1 ? null : 'temperature 0', probabilities: Float64Array.of(1) };
  }
  let kept = size;
  let cut: CutRule | null = null;
  const keep = (count: number, rule: CutRule): void => {
    if (count < kept) {
      kept = count;
      cut = rule;
    }
  };

  if (settings.topK > 0) {
    keep(settings.topK, 'top-k');
  }
  const weights = new Float64Array(kept);
  let sum = 0;
  for (let i = 0; i < kept; i++) {
    weights[i] = Math.exp((logits[order[i]] - largest) / settings.temperature);
    sum += weights[i];
  }
  // The largest weight is 1, so a weight is also the ratio to the largest probability.
  let keptSum = sum;
  if (settings.minP > 0) {
    let count = 0;
    keptSum = 0;
    while (count < kept && weights[count] >= settings.minP) {
      keptSum += weights[count++];
    }
    keep(count, 'min-p');
  }
  if (settings.topP < 1) {
    let count = 0;
    let reached = 0;
    while (count < kept && reached < settings.topP * sum) {
      reached += weights[count++];
    }
    if (count < kept) {
      keptSum = reached;
    }
    keep(count, 'top-p');
  }
  const probabilities = weights.slice(0, kept);
  for (let i = 0; i < kept; i++) {
    probabilities[i] /= keptSum;
  }
  return { order, kept, cut, probabilities };
}

/**
 * The place in `order` on which a number in [0, 1) falls, the probabilities laid end to end, most probable first.
 */
export function drawFrom({ probabilities }: SampledDistribution, u: number): number {
  let end = 0;
  let last = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] > 0) {
      end += probabilities[i];
      last = i;
      if (u < end) {
        return i;
      }
    }
  }
  // Rounding can leave the sum just below 1, and u above it.
  return last;
}
