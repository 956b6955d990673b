import assert from 'node:assert/strict';
import { LogitReader } from '../../../../src/engine/runtime/logit-reader';
import { loadRuntime } from '../../../../src/engine/runtime/providers';

describe('LogitReader', () => {
  async function read(logits: Float32Array, asked: readonly (number | null)[], limit: number) {
    const reader = new LogitReader(await loadRuntime(), logits.length / asked.length);
    try {
      return await reader.read(logits, asked, limit);
    } finally {
      await reader.dispose();
    }
  }

  it('reads what a plain softmax gives, over more rows than fit at a time', async () => {
    const [rows, vocabSize] = [70, 40_000];
    const logits = Float32Array.from(
      { length: rows * vocabSize },
      (_, at) => 12 * Math.sin(at * 0.7351 + at ** 2 * 1e-7),
    );
    const asked = Array.from({ length: rows }, (_, row) => (row % 7 === 0 ? null : (row * 571) % vocabSize));
    const readings = await read(logits, asked, 3);
    assert.equal(readings.length, rows);
    for (const [row, { ids, probabilities, own }] of readings.entries()) {
      const values = logits.subarray(row * vocabSize, (row + 1) * vocabSize);
      const sum = values.reduce((total, value) => total + Math.exp(value), 0);
      const ranked = Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);
      assert.deepEqual(ids, ranked.slice(0, 3));
      for (const [place, id] of ids.entries()) {
        assert.ok(Math.abs(probabilities[place] / (Math.exp(values[id]) / sum) - 1) < 1e-5);
      }
      const id = asked[row];
      assert.equal(own === null, id === null);
      if (own !== null && id !== null) {
        assert.equal(own.rank, 1 + values.filter((value) => value > values[id]).length);
        assert.ok(Math.abs(own.probability / (Math.exp(values[id]) / sum) - 1) < 1e-5);
      }
    }
  });

  it('gives what is ruled out no probability, and lists no more than there are', async () => {
    const ruledOut = Number.NEGATIVE_INFINITY;
    const [{ ids, probabilities, own }] = await read(Float32Array.of(1, ruledOut, 1), [1], 9);
    assert.deepEqual(ids, [0, 2, 1]);
    assert.deepEqual(probabilities, [0.5, 0.5, 0]);
    assert.deepEqual(own, { probability: 0, rank: 3 });
  });

  it('refuses what is no distribution', async () => {
    for (const logits of [[Number.NaN, 1], [Number.POSITIVE_INFINITY, 1], Array(2).fill(Number.NEGATIVE_INFINITY)]) {
      await assert.rejects(read(Float32Array.from(logits), [0], 1), { code: 'model-invalid' });
    }
  });
});
