import assert from 'node:assert/strict';
import { expOfNegative, largestLogit, logSumExp } from '../../../../src/engine/sampling/softmax';

describe('expOfNegative', () => {
  it('is e^x to 13 digits from 0 to where it vanishes', () => {
    for (let x = 0; x > -745; x -= 0.0371) {
      const expected = Math.exp(x);
      const error = Math.abs(expOfNegative(x) - expected);
      assert.ok(error <= 1e-13 * expected || error < 5e-324 * 2 ** 12, `e^${x} is ${expected}`);
    }
  });

  it('ends as Math.exp does', () => {
    assert.equal(expOfNegative(0), 1);
    assert.equal(expOfNegative(-0), 1);
    assert.equal(expOfNegative(-1e6), 0);
    assert.equal(expOfNegative(Number.NEGATIVE_INFINITY), 0);
    assert.ok(Number.isNaN(expOfNegative(Number.NaN)));
  });
});

describe('logSumExp', () => {
  it('is the logarithm of the sum of exponentials, however large they are', () => {
    const logits = Float32Array.of(1000, 999, Number.NEGATIVE_INFINITY, 998.5);
    const expected = 1000 + Math.log(1 + Math.exp(-1) + Math.exp(-1.5));
    assert.ok(Math.abs(logSumExp(logits) - expected) < 1e-12);
  });

  it('refuses what is no distribution', () => {
    for (const logits of [[Number.NaN, 1], [Number.POSITIVE_INFINITY], [Number.NEGATIVE_INFINITY]]) {
      assert.throws(() => logSumExp(Float32Array.from(logits)), { code: 'model-invalid' });
      assert.throws(() => largestLogit(Float32Array.from(logits)), { code: 'model-invalid' });
    }
  });
});
