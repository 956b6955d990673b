import assert from 'node:assert/strict';
import { LogitScorer } from '../../../../src/engine/runtime/prediction-scores';
import { loadRuntime } from '../../../../src/engine/runtime/providers';
import { scoresInFloat64 } from './scores-in-float64';

describe('scoring predictions', () => {
  async function scored(rows: readonly (readonly number[])[], targets: readonly number[], first = 0) {
    const scorer = new LogitScorer(await loadRuntime(), rows[0].length);
    try {
      return await scorer.score(Float32Array.from(rows.flat()), targets, first);
    } finally {
      await scorer.dispose();
    }
  }

  it('gives the probability of the target, its rank, and the entropy in bits', async () => {
    const { scores } = await scored([[0, 0, 0, 0]], [2]);
    assert.deepEqual(scores.length, 1);
    assert.ok(Math.abs(scores[0].logProbability - Math.log(0.25)) < 1e-6);
    assert.equal(scores[0].rank, 1);
    assert.ok(Math.abs(scores[0].entropy - 2) < 1e-6);
  });

  it('counts ranks from 1, ties share the better one, and neighbours are told apart', async () => {
    const close = Math.fround(3 + 2 ** -22);
    const { scores } = await scored(
      [
        [1, 3, 2, 3],
        [1, 3, 2, 3],
        [1, 3, 2, close],
      ],
      [3, 0, 1],
    );
    assert.deepEqual(
      scores.map(({ rank }) => rank),
      [1, 4, 2],
    );
  });

  it('hands out the last row', async () => {
    const { lastLogits } = await scored(
      [
        [1, 2],
        [5, 6],
        [8, 9],
      ],
      [0, 0, 0],
    );
    assert.deepEqual([...lastLogits], [8, 9]);
  });

  it('agrees with sums in float64 over a vocabulary of 300,000, several blocks of rows on', async () => {
    const vocabSize = 300_000;
    const targets = [7, 299_999, 0, 150_000, 12, 3, 200_000, 5];
    const rows = targets.map((_, row) =>
      Array.from({ length: vocabSize }, (_unused, id) => Math.fround(9 * Math.sin(id * (1 + row) + row) - 3)),
    );
    const { scores, lastLogits } = await scored(rows, targets);
    const expected = scoresInFloat64(Float32Array.from(rows.flat()), targets);
    for (const [row, score] of scores.entries()) {
      assert.equal(score.rank, expected[row].rank, `rank of row ${row}`);
      assert.ok(Math.abs(score.logProbability - expected[row].logProbability) < 1e-5, `probability of row ${row}`);
      assert.ok(Math.abs(score.entropy - expected[row].entropy) < 1e-5, `entropy of row ${row}`);
    }
    assert.deepEqual(lastLogits, Float32Array.from(rows.at(-1)!));
  });

  it('takes tokens that the model rules out', async () => {
    const { scores } = await scored([[-Infinity, 0, -Infinity, -Infinity]], [1]);
    assert.deepEqual(scores, [{ logProbability: 0, rank: 1, entropy: 0, largestProbability: 1 }]);
  });

  it('says where logits are not numbers', async () => {
    for (const broken of [NaN, Infinity]) {
      await assert.rejects(
        scored(
          [
            [0, 0],
            [0, broken],
          ],
          [0, 0],
          40,
        ),
        { code: 'model-invalid', message: /logits at position 41 are not finite/ },
      );
    }
    await assert.rejects(scored([[-Infinity, -Infinity]], [0]), /logits at position 0 are not finite/);
  });
});
