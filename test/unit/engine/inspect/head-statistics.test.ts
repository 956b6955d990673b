import assert from 'node:assert/strict';
import { earlierOccurrences, headStatistics } from '../../../../src/engine/inspect/head-statistics';

/** A head that puts all of each query's weight on one key. */
function pointing(keys: readonly number[]): Float32Array {
  const weights = new Float32Array(keys.length * keys.length);
  keys.forEach((key, query) => {
    weights[query * keys.length + key] = 1;
  });
  return weights;
}

describe('head statistics', () => {
  const repeated = earlierOccurrences([5, 6, 7, 5, 6, 7]);

  it('links each token to its nearest earlier occurrence', () => {
    assert.deepEqual([...earlierOccurrences([1, 2, 1, 1])], [-1, -1, 0, 2]);
  });

  it('knows a previous-token head', () => {
    const statistics = headStatistics(pointing([0, 0, 1, 2, 3, 4]), repeated);
    assert.equal(statistics.previous, 1);
    assert.equal(statistics.entropy, 0);
  });

  it('knows an induction head, and scores it over repeated tokens only', () => {
    const statistics = headStatistics(pointing([0, 0, 0, 1, 2, 3]), repeated);
    assert.equal(statistics.induction, 1);
    assert.equal(statistics.duplicate, 0);
  });

  it('knows a duplicate-token head', () => {
    assert.equal(headStatistics(pointing([0, 1, 2, 0, 1, 2]), repeated).duplicate, 1);
  });

  it('knows a sink, leaving out token 0, which has nowhere else to look', () => {
    assert.equal(headStatistics(pointing([0, 0, 0, 0, 0, 0]), repeated).first, 1);
    assert.equal(headStatistics(pointing([0, 1, 2, 3, 4, 5]), repeated).first, 0);
  });

  it('adds up over several earlier occurrences', () => {
    const weights = new Float32Array(25);
    weights.set([0, 0.25, 0, 0.5, 0.25], 20);
    const { induction, duplicate } = headStatistics(weights, earlierOccurrences([1, 2, 1, 3, 1]));
    // Two queries repeat token 1: position 2 has no weight here, position 4 has 0.25 + 0.5 after the two before it.
    assert.equal(induction, 0.375);
    assert.equal(duplicate, 0);
  });

  it('does not take looking at oneself for induction', () => {
    assert.equal(headStatistics(pointing([0, 1]), earlierOccurrences([4, 4])).induction, 0);
  });

  it('has no score where nothing repeats', () => {
    const { induction, duplicate } = headStatistics(pointing([0, 1]), earlierOccurrences([1, 2]));
    assert.ok(Number.isNaN(induction) && Number.isNaN(duplicate));
  });

  it('gives the entropy in bits', () => {
    assert.equal(headStatistics(Float32Array.from([1, 0, 0.5, 0.5]), earlierOccurrences([1, 2])).entropy, 0.5);
  });
});
