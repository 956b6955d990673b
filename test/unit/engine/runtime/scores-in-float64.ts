import type { PredictionScore } from '../../../../src/engine/runtime/prediction-scores';

/**
 * Scores predictions as they are defined, one number after the other.
 *
 * @param logits [R, V]
 * @param targets R token ids
 */
export function scoresInFloat64(logits: Float32Array, targets: readonly number[]): PredictionScore[] {
  const vocabSize = logits.length / targets.length;
  return targets.map((target, row) => {
    const own = logits.subarray(row * vocabSize, (row + 1) * vocabSize);
    const largest = own.reduce((most, logit) => Math.max(most, logit), -Infinity);
    const total = own.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
    const probability = (logit: number) => Math.exp(logit - largest) / total;
    return {
      logProbability: own[target] - largest - Math.log(total),
      largestProbability: 1 / total,
      rank: 1 + own.filter((logit) => logit > own[target]).length,
      entropy: own.reduce((sum, logit) => {
        const p = probability(logit);
        return p === 0 ? sum : sum - p * Math.log2(p);
      }, 0),
    };
  });
}
