import assert from 'node:assert/strict';
import { paintCells, paintThumbnail } from '../../../../webview/render/heat-map';

/** Entry k is k + 1, so that 0 stays what was not painted. */
const table = Uint32Array.from({ length: 101 }, (_, at) => at + 1);

describe('heat map', () => {
  it('paints cells on a square-root scale with a gap', () => {
    const cells = {
      rows: 2,
      columns: 2,
      weights: Float32Array.of(1, 0, 0.25, 0.04),
      isEmpty: (row: number, column: number) => column > row,
    };
    const { width, height, data } = paintCells(cells, 3, 1, table);
    assert.deepEqual([width, height], [6, 6]);
    const row = (y: number) => [...data.subarray(y * 6, y * 6 + 6)];
    assert.deepEqual(row(0), [101, 101, 0, 0, 0, 0]);
    assert.deepEqual(row(1), row(0));
    assert.deepEqual(row(2), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(row(3), [51, 51, 0, 21, 21, 0]);
  });

  it('covers every pixel where cells are not whole pixels', () => {
    const cells = { rows: 3, columns: 3, weights: new Float32Array(9), isEmpty: () => false };
    const { width, data } = paintCells(cells, 5 / 3, 0, table);
    assert.equal(width, 5);
    assert.equal(data.includes(0), false);
  });

  it('takes weights outside of 0–1 as the nearer end', () => {
    const cells = { rows: 1, columns: 2, weights: Float32Array.of(1.0001, -0.1), isEmpty: () => false };
    assert.deepEqual([...paintCells(cells, 1, 0, table).data], [101, 1]);
  });

  it('keeps a thin diagonal whole in a thumbnail with fewer pixels than cells', () => {
    const side = 43;
    const values = new Uint8Array(side * side);
    for (let at = 0; at < side; at++) {
      values[at * side + at] = 255;
    }
    const pixels = 20;
    const { data } = paintThumbnail(values, side, pixels, table, false);
    for (let at = 0; at < pixels; at++) {
      assert.equal(data[at * pixels + at], 101);
    }
    assert.equal(data[pixels - 1], 0, 'nothing above the diagonal');
  });

  it('leaves the first key out where it is hidden', () => {
    const values = Uint8Array.of(255, 0, 255, 51);
    assert.deepEqual([...paintThumbnail(values, 2, 2, table, false).data], [101, 0, 101, 21]);
    assert.deepEqual([...paintThumbnail(values, 2, 2, table, true).data], [1, 0, 1, 21]);
  });

  it('draws a passage of one token', () => {
    assert.deepEqual([...paintThumbnail(Uint8Array.of(255), 1, 2, table, false).data], [101, 101, 101, 101]);
  });
});
