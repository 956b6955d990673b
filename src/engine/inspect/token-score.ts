import type { TokenReading } from '../../protocol/trace';
import type { PredictionScore } from '../runtime/prediction-scores';

/**
 * What the model made of one token of a passage: how likely the prediction before it held it, and how open the prediction
 * is that is made at it.
 *
 * @param scores [T] of the passage: the prediction made at token t, against token t + 1
 */
export function tokenScore(
  scores: readonly PredictionScore[],
  index: number,
): Pick<TokenReading, 'probability' | 'rank' | 'surprisal' | 'entropy'> {
  const { entropy } = scores[index];
  if (index === 0) {
    return { probability: null, rank: null, surprisal: null, entropy };
  }
  const { logProbability, rank } = scores[index - 1];
  return { probability: Math.exp(logProbability), rank, surprisal: Math.max(0, -logProbability / Math.LN2), entropy };
}
