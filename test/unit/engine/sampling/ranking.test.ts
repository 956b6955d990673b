import assert from 'node:assert/strict';
import { Generator } from '../../../../src/engine/sampling/generator';
import { Ranking } from '../../../../src/engine/sampling/ranking';

function order(logits: Float32Array): number[] {
  const ranking = new Ranking(logits);
  return Array.from({ length: ranking.size }, (_, place) => ranking.idAt(place));
}

describe('ranking', () => {
  it('orders by falling logit, equal ones by id, −0 with 0 and −∞ last', () => {
    const logits = Float32Array.of(-0, -1, Number.NEGATIVE_INFINITY, 5, 0, 1e-40, -1e-40, 5, 3.4e38, -3.4e38);
    assert.deepEqual(order(logits), [8, 3, 7, 5, 0, 4, 6, 1, 9, 2]);
  });

  it('is a full sort in the end, however the logits lie', () => {
    const generator = new Generator(11);
    for (const [scale, offset] of [
      [30, -100],
      [1, 0],
      [1e-6, 7],
      [1e4, -5e3],
    ]) {
      const logits = Float32Array.from({ length: 5000 }, () => Math.fround(generator.next() * scale + offset));
      const expected = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
      assert.deepEqual(order(logits), expected);
    }
  });

  it('gives a place that is asked for first', () => {
    const logits = Float32Array.from({ length: 4000 }, (_, id) => id);
    assert.equal(new Ranking(logits).idAt(3999), 0);
    assert.equal(new Ranking(logits).idAt(300), 3699);
  });

  it('reads a view into a larger array', () => {
    assert.deepEqual(order(Float32Array.of(9, 1, 2, 9).subarray(1, 3)), [1, 0]);
  });
});
