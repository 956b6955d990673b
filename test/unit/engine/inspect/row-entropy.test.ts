import assert from 'node:assert/strict';
import { sumOfEntropies } from '../../../../src/engine/inspect/row-entropy';

describe('the entropy of attention', () => {
  const plainly = (weights: Float32Array) =>
    weights.reduce((sum, weight) => (weight > 0 ? sum - weight * Math.log2(weight) : sum), 0);

  it('is that of Math.log2 to 12 digits, for weights of every size', () => {
    const weights = Float32Array.from({ length: 200_000 }, (_, at) => 2 ** -(((at * 7919) % 200_000) / 1600));
    const expected = plainly(weights);
    assert.ok(Math.abs(sumOfEntropies(weights) - expected) < 1e-12 * expected);
    for (const weight of weights.subarray(0, 3000)) {
      const [alone, exact] = [sumOfEntropies(Float32Array.of(weight)), plainly(Float32Array.of(weight))];
      assert.ok(Math.abs(alone - exact) < 1e-11, `${weight}: ${alone} for ${exact}`);
    }
  });

  it('counts bits, and nothing for what is certain or has no weight', () => {
    assert.ok(Math.abs(sumOfEntropies(Float32Array.of(0.25, 0.25, 0.25, 0.25)) - 2) < 1e-12);
    assert.ok(Math.abs(sumOfEntropies(Float32Array.of(1, 0, 0, 1e-42))) < 1e-9);
  });

  it('reads a part of a longer array', () => {
    const weights = Float32Array.of(9, 0.5, 0.5, 9).subarray(1, 3);
    assert.ok(Math.abs(sumOfEntropies(weights) - 1) < 1e-12);
  });
});
