import type { SamplerSettings } from '../../protocol/trace';
import { SampledDistribution } from './sampler';

/** One token's numbers on the way through the sampler; null from where a rule drops it. */
export interface SampledToken {
  readonly id: number;
  readonly logit: number;
  readonly scaled: number;
  readonly afterTopK: number | null;
  readonly afterMinP: number | null;
  readonly cumulative: number | null;
  readonly afterTopP: number | null;
  readonly final: number | null;
}

export interface SamplingSteps {
  readonly rows: readonly SampledToken[];
  readonly keptByTopK: number;
  readonly keptByMinP: number;
  readonly keptByTopP: number;
  /** Sum of the probabilities that were left before renormalising. */
  readonly mass: number;
}

/**
 * The sampler rule by rule: each rule's outcome is that of the sampler itself with the later rules switched off.
 *
 * @param logits [V], as the model gave them
 * @param limit how many tokens, the most probable first, are followed
 * @throws HeadlightError as `SampledDistribution` does
 */
export function sampleStepByStep(logits: Float32Array, settings: SamplerSettings, limit: number): SamplingSteps {
  const topK = new SampledDistribution(logits, { ...settings, minP: 0, topP: 1 });
  const minP = new SampledDistribution(logits, { ...settings, topP: 1 });
  const topP = new SampledDistribution(logits, settings);
  const count = Math.min(limit, logits.length);
  const rows: SampledToken[] = [];
  let cumulative = 0;
  for (let place = 0; place < count; place++) {
    const id = topK.ranking.idAt(place);
    const probability = topK.probabilityAt(place);
    cumulative += probability;
    const upTo = (kept: number, value: number) => (place < kept ? value : null);
    rows.push({
      id,
      logit: logits[id],
      scaled: settings.temperature === 0 ? logits[id] : logits[id] / settings.temperature,
      afterTopK: upTo(topK.kept, probability),
      afterMinP: upTo(minP.kept, probability),
      cumulative: upTo(minP.kept, cumulative),
      afterTopP: upTo(topP.kept, probability),
      final: upTo(topP.kept, topP.probabilityAt(place)),
    });
  }
  return {
    rows,
    keptByTopK: topK.kept,
    keptByMinP: minP.kept,
    keptByTopP: topP.kept,
    // The most probable token is always kept, and renormalising divides all by the same number.
    mass: topK.probabilityAt(0) / topP.probabilityAt(0),
  };
}
