import assert from 'node:assert/strict';
import { tokenScore } from '../../../../src/engine/inspect/token-score';

describe('the score of a token', () => {
  const scores = [
    { logProbability: Math.log(0.25), rank: 2, entropy: 2, largestProbability: 0.5 },
    { logProbability: 0, rank: 1, entropy: 1, largestProbability: 1 },
    { logProbability: -1, rank: 9, entropy: 0.5, largestProbability: 0.9 },
  ];

  it('gives the first token no probability, since nothing stands before it', () => {
    assert.deepEqual(tokenScore(scores, 0), { probability: null, rank: null, surprisal: null, entropy: 2 });
  });

  it('reads its probability from the prediction before it, and its entropy from the one made at it', () => {
    assert.deepEqual(tokenScore(scores, 1), { probability: 0.25, rank: 2, surprisal: 2, entropy: 1 });
  });

  it('is not surprised by what is certain', () => {
    assert.deepEqual(tokenScore(scores, 2), { probability: 1, rank: 1, surprisal: 0, entropy: 0.5 });
  });
});
