import type { CutRule, SamplerSettings } from '../../src/protocol/trace';

/** The rule of the sampler that left the fewest tokens, with its value. */
export function describeCut(cut: CutRule, sampler: SamplerSettings): string {
  switch (cut) {
    case 'temperature 0':
      return 'temperature 0 takes the first';
    case 'top-k':
      return `top-k ${sampler.topK}`;
    case 'top-p':
      return `top-p ${sampler.topP.toFixed(2)}`;
    case 'min-p':
      return `min-p ${sampler.minP.toFixed(2)}`;
  }
}
