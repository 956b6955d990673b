import assert from 'node:assert/strict';
import { scoreTokens } from '../../../../src/engine/inspect/score';

describe('scoring tokens', () => {
  // Three tokens over a vocabulary of four; row t predicts token t + 1.
  const logits = Float32Array.from([0, 0, 0, 0, 1, 3, 2, 3, -50, 80, 0, 5]);
  const ids = [2, 0, 1];

  it('gives the first token no probability, since nothing stands before it', async () => {
    const [first] = await scoreTokens(logits, ids);
    assert.deepEqual([first.probability, first.rank, first.surprisal], [null, null, null]);
  });

  it('reads each probability from the row before the token', async () => {
    const [, second, third] = await scoreTokens(logits, ids);
    assert.equal(second.probability, 0.25);
    assert.equal(second.surprisal, 2);
    const sum = Math.exp(1) + 2 * Math.exp(3) + Math.exp(2);
    assert.ok(Math.abs(third.probability! - Math.exp(3) / sum) < 1e-12);
    assert.ok(Math.abs(third.surprisal! + Math.log2(Math.exp(3) / sum)) < 1e-12);
  });

  it('counts ranks from 1, and ties share the better one', async () => {
    const [, second, third] = await scoreTokens(logits, ids);
    assert.equal(second.rank, 1);
    assert.equal(third.rank, 1);
    const [, last] = await scoreTokens(logits.subarray(4), [1, 0]);
    assert.equal(last.rank, 4);
  });

  it('gives the entropy in bits of the prediction made at the token', async () => {
    const scores = await scoreTokens(logits, ids);
    assert.equal(scores[0].entropy, 2);
    assert.ok(scores[2].entropy < 1e-9);
  });

  it('survives logits of minus infinity', async () => {
    const [first, second] = await scoreTokens(Float32Array.from([-Infinity, 0, 0, 0]), [0, 1]);
    assert.equal(first.entropy, 0);
    assert.equal(second.probability, 1);
  });

  it('says where logits are not numbers', async () => {
    const broken = Float32Array.from([0, 0, NaN, 0]);
    broken.fill(NaN, 2);
    await assert.rejects(scoreTokens(broken, [0, 1]), /logits at position 1 are not finite/);
  });

  it('stops when it is cancelled', async () => {
    await assert.rejects(scoreTokens(logits, ids, { isCancellationRequested: true }), /cancelled/);
  });
});
