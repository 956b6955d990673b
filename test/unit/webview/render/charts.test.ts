import assert from 'node:assert/strict';
import { linesOf, MOST_LINES } from '../../../../webview/render/attention-lines';
import { axisFor, groupBars } from '../../../../webview/render/bar-profile';
import { barScale } from '../../../../webview/render/bar-scale';
import { strongestKeys } from '../../../../webview/render/strongest-keys';

describe('bar profile', () => {
  it('draws a bar a token where there is room', () => {
    assert.deepEqual(groupBars([null, 2, 5], 100), { group: 1, values: [null, 2, 5] });
  });

  it('takes the highest of a group where there is not', () => {
    const { group, values } = groupBars([null, null, 1, 7, 3], 4);
    assert.equal(group, 3);
    assert.deepEqual(values, [1, 7]);
  });

  it('ends its axis on a round number', () => {
    assert.deepEqual(axisFor(13.2), { top: 15, ticks: [0, 5, 10, 15] });
    assert.deepEqual(axisFor(0), { top: 1, ticks: [0, 1] });
  });
});

describe('bar scale', () => {
  it('never ends below a fifth or above one', () => {
    assert.equal(barScale(0.01).top, 0.2);
    assert.equal(barScale(1).top, 1);
    assert.ok(barScale(0.362).top >= 0.362);
  });
});

describe('attention lines', () => {
  const matrix = (rows: number, weights: Float32Array) => ({
    layer: 0,
    head: 0,
    queries: { from: 0, to: rows },
    keys: { from: 0, to: rows },
    queriesPerRow: 1,
    keysPerColumn: 1,
    rows,
    columns: rows,
    weights,
  });

  it('leave out what would not be seen, and lay strong ones on top', () => {
    const { lines, leftOut } = linesOf(matrix(2, Float32Array.of(1, 0, 0.01, 0.5)), false);
    assert.deepEqual(
      lines.map(({ row, column }) => [row, column]),
      [
        [1, 1],
        [0, 0],
      ],
    );
    assert.equal(leftOut, 0);
  });

  it('leave out the first token where it is hidden', () => {
    const { lines } = linesOf(matrix(2, Float32Array.of(1, 0, 0.5, 0.5)), true);
    assert.deepEqual(
      lines.map(({ column }) => column),
      [1],
    );
  });

  it('are as many as can be drawn, the strongest', () => {
    const weights = Float32Array.from({ length: 10_000 }, (_, at) => 0.02 + at / 20_000);
    const { lines, leftOut } = linesOf(matrix(100, weights), false);
    assert.equal(lines.length, MOST_LINES);
    assert.equal(leftOut, 10_000 - MOST_LINES);
    assert.equal(lines.at(-1)?.weight, weights[9_999]);
  });
});

describe('strongest keys', () => {
  it('are sorted by weight, of equal ones the nearer first', () => {
    const keys = strongestKeys(Float32Array.of(0.5, 0.2, 0.2, 0.001, 0.1), 3, false);
    assert.deepEqual(
      keys.map(({ key }) => key),
      [0, 2, 1],
    );
    assert.deepEqual(
      strongestKeys(Float32Array.of(0.5, 0.2), 3, true).map(({ key }) => key),
      [1],
    );
  });
});
