import type { CutRule, SamplerSettings } from '../../protocol/trace';
import { Ranking } from './ranking';
import { checkSettings } from './settings';
import { largestLogit } from './softmax';

/**
 * What the sampler makes of a model's distribution, over the whole vocabulary and in this order: divide the logits by
 * the temperature; keep the top-k; softmax; min-p; top-p, which keeps the token that crosses p; renormalise.
 *
 * Every rule keeps the most probable tokens, so what is kept is always a beginning of the ranking.
 */
export class SampledDistribution {
  readonly ranking: Ranking;
  /** The first so many of the ranking are kept. */
  readonly kept: number;
  /** The rule that left the fewest tokens; null where all are kept. */
  readonly cut: CutRule | null;
  readonly #logits: Float32Array;
  readonly #largest: number;
  readonly #temperature: number;
  /** Sum of the weights of what is kept. */
  readonly #keptWeight: number;

  /**
   * @param logits [V], as the model gave them
   * @throws HeadlightError `argument-invalid` for impossible settings, `model-invalid` for logits that are no distribution
   */
  constructor(logits: Float32Array, settings: SamplerSettings) {
    checkSettings(settings);
    const { temperature, topK, topP, minP } = settings;
    this.#logits = logits;
    this.#largest = largestLogit(logits);
    this.#temperature = temperature;
    this.ranking = new Ranking(logits);

    let kept = temperature === 0 ? 1 : topK > 0 ? Math.min(topK, logits.length) : logits.length;
    let cut: CutRule | null = kept === logits.length ? null : temperature === 0 ? 'temperature 0' : 'top-k';
    const softmaxWeight = cut === null ? this.#weightOfAll() : this.#weightOfFirst(kept);
    let keptWeight = softmaxWeight;
    const keepWhile = (rule: CutRule, keeps: (weight: number, weightBefore: number) => boolean): void => {
      let sum = 0;
      for (let place = 0; place < kept; place++) {
        const weight = this.#weightAt(place);
        if (!keeps(weight, sum)) {
          kept = place;
          keptWeight = sum;
          cut = rule;
          return;
        }
        sum += weight;
      }
    };
    if (minP > 0) {
      // The largest weight is 1, so that a weight is also its token's share of the largest probability.
      keepWhile('min-p', (weight) => weight >= minP);
    }
    if (topP < 1) {
      keepWhile('top-p', (_, weightBefore) => weightBefore < topP * softmaxWeight);
    }
    this.#keptWeight = keptWeight;
    this.kept = kept;
    this.cut = cut;
  }

  /** The probability of the token at a place of the ranking, after renormalising; 0 where it is not kept. */
  probabilityAt(place: number): number {
    return place < this.kept ? this.#weightAt(place) / this.#keptWeight : 0;
  }

  /** The place on which a number in [0, 1) falls, the probabilities laid end to end, most probable first. */
  draw(u: number): number {
    let end = 0;
    let place = 0;
    for (; place < this.kept; place++) {
      const weight = this.#weightAt(place);
      end += weight;
      if (u * this.#keptWeight < end) {
        return place;
      }
      if (weight === 0) {
        break;
      }
    }
    // Rounding can leave the sum just below 1, and u above it.
    return place - 1;
  }

  /** exp((l − max) / temperature), 0–1: the probability but for its normaliser. */
  #weightAt(place: number): number {
    return this.#weight(this.#logits[this.ranking.idAt(place)]);
  }

  #weight(logit: number): number {
    // At temperature 0 only the largest is asked about, and it weighs 1 at any temperature.
    return logit === this.#largest ? 1 : Math.exp((logit - this.#largest) / this.#temperature);
  }

  #weightOfFirst(count: number): number {
    let sum = 0;
    for (let place = 0; place < count; place++) {
      sum += this.#weightAt(place);
    }
    return sum;
  }

  #weightOfAll(): number {
    let sum = 0;
    for (let id = 0; id < this.#logits.length; id++) {
      sum += this.#weight(this.#logits[id]);
    }
    return sum;
  }
}
