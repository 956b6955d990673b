import assert from 'node:assert/strict';
import { sampleStepByStep } from '../../../../src/engine/sampling/sampler-steps';

const logits = Float32Array.from([0.38, 0.18, 0.16, 0.12, 0.1, 0.06], Math.log);

describe('the sampler step by step', () => {
  it('makes 0.68 and 0.32 of the 0.38 and 0.18 that top-p keeps', () => {
    const steps = sampleStepByStep(logits, { temperature: 1, topK: 0, minP: 0, topP: 0.5 }, 6);
    const rounded = (value: number | null) => (value === null ? null : Number(value.toFixed(2)));
    assert.deepEqual(
      steps.rows.map(({ afterTopK }) => rounded(afterTopK)),
      [0.38, 0.18, 0.16, 0.12, 0.1, 0.06],
    );
    assert.deepEqual(
      steps.rows.map(({ cumulative }) => rounded(cumulative)),
      [0.38, 0.56, 0.72, 0.84, 0.94, 1],
    );
    assert.deepEqual(
      steps.rows.map(({ final }) => rounded(final)),
      [0.68, 0.32, null, null, null, null],
    );
    assert.equal(steps.keptByTopP, 2);
    assert.equal(rounded(steps.mass), 0.56);
  });

  it('says after each rule what is left', () => {
    const steps = sampleStepByStep(logits, { temperature: 1, topK: 5, minP: 0.3, topP: 0.55 }, 6);
    assert.deepEqual([steps.keptByTopK, steps.keptByMinP, steps.keptByTopP], [5, 4, 2]);
    const drops = steps.rows.map(({ afterTopK, afterMinP, afterTopP, final }) =>
      [afterTopK, afterMinP, afterTopP, final].map((value) => value !== null),
    );
    assert.deepEqual(drops, [
      [true, true, true, true],
      [true, true, true, true],
      [true, true, false, false],
      [true, true, false, false],
      [true, false, false, false],
      [false, false, false, false],
    ]);
    const sum = steps.rows.reduce((total, { final }) => total + (final ?? 0), 0);
    assert.ok(Math.abs(sum - 1) < 1e-12);
  });

  it('divides logits by the temperature, and takes the most probable one at 0', () => {
    const cool = sampleStepByStep(logits, { temperature: 0.5, topK: 0, minP: 0, topP: 1 }, 2);
    assert.equal(cool.rows[0].scaled, logits[0] / 0.5);
    assert.ok(Math.abs(cool.rows[0].final! / cool.rows[1].final! - (0.38 / 0.18) ** 2) < 1e-5);
    const greedy = sampleStepByStep(logits, { temperature: 0, topK: 0, minP: 0, topP: 1 }, 2);
    assert.deepEqual(
      greedy.rows.map(({ final }) => final),
      [1, null],
    );
  });
});
