import assert from 'node:assert/strict';
import type { AttentionStep, HeadStepMatrix } from '../../../../src/protocol/stages';
import { formatNumber } from '../../../../webview/render/number-format';
import { stepScale, WEIGHT_SCALE } from '../../../../webview/render/step-scale';

const matrix = (step: AttentionStep, extent: number): HeadStepMatrix => ({
  layer: 0,
  head: 0,
  queries: { from: 0, to: 1 },
  keys: { from: 0, to: 1 },
  queriesPerRow: 1,
  keysPerColumn: 1,
  rows: 1,
  columns: 1,
  weights: Float32Array.of(0),
  step,
  extent,
});

describe('the scale of a step', () => {
  it('is linear and even about 0 for scores, up to a round number', () => {
    const scale = stepScale(matrix('scores', 7.83));
    assert.deepEqual(
      scale.ticks.map(({ label }) => label),
      ['−8', '0', '8'],
    );
    assert.deepEqual([-8, -4, 0, 8, 99].map(scale.place), [0, 0.25, 0.5, 1, 1]);
    assert.equal(scale.colours, 'score');
    assert.ok(scale.full);
  });

  it('says what the mask took out', () => {
    const scale = stepScale(matrix('masked', 0.42));
    assert.equal(scale.format(Number.NaN), 'masked');
    assert.equal(scale.format(-0.25), '−0.25');
    assert.equal(scale.ticks[2].label, '.5');
    assert.ok(!scale.full);
  });

  it('spreads what arrives by its root', () => {
    const scale = stepScale(matrix('weighted', 3.2));
    assert.equal(scale.place(4), 1);
    assert.equal(scale.place(1), 0.5);
    assert.deepEqual(
      scale.ticks.map(({ label }) => label),
      ['0', '.2', '1', '2', '4'],
    );
  });

  it('is that of weights for weights, and holds where nothing has a magnitude', () => {
    assert.equal(stepScale(matrix('weights', 1)), WEIGHT_SCALE);
    assert.equal(stepScale(matrix('scores', 0)).place(0), 0.5);
  });
});

describe('numbers of any size', () => {
  it('keep three digits that count, and only 0 reads as 0', () => {
    assert.deepEqual([0, 1234.5, 123.4, -12.34, 1.234, 0.05, 0.004, -0.00001].map(formatNumber), [
      '0.00',
      '1,235',
      '123',
      '−12.3',
      '1.23',
      '0.05',
      '0.004',
      '−1.0·10⁻⁵',
    ]);
  });
});
