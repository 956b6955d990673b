import assert from 'node:assert/strict';
import {
  cellAt,
  columnOf,
  hasEmptyTriangle,
  isAboveDiagonal,
  keysOf,
  type MatrixShape,
  matrixGeometry,
  queriesOf,
  rowOf,
  usefulResolution,
} from '../../../../webview/render/matrix-geometry';
import { lengthOf, type MatrixWindow, wholeWindow } from '../../../../webview/render/token-window';

const room = { width: 460, height: 460, devicePixelRatio: 1 };

/** The shape of the engine's answer for a window at a resolution. */
function shapeOf(window: MatrixWindow, resolution: number): MatrixShape {
  const queriesPerRow = Math.ceil(lengthOf(window.queries) / resolution);
  const keysPerColumn = Math.ceil(lengthOf(window.keys) / resolution);
  return {
    ...window,
    rows: Math.ceil(lengthOf(window.queries) / queriesPerRow),
    columns: Math.ceil(lengthOf(window.keys) / keysPerColumn),
    queriesPerRow,
    keysPerColumn,
  };
}

describe('matrix geometry', () => {
  it('takes merged tokens by where each unit begins', () => {
    const starts = Uint32Array.from([0, 3, 4, 9]);
    const geometry = matrixGeometry(
      {
        ...{ ...wholeWindow(9), rows: 3, columns: 3, queriesPerRow: 0, keysPerColumn: 0 },
        ...{ rowStarts: starts, columnStarts: starts },
      },
      room,
    );
    assert.deepEqual(
      [0, 2, 3, 4, 8].map((token) => rowOf(geometry, token)),
      [0, 0, 1, 2, 2],
    );
    assert.equal(columnOf(geometry, 9), null);
    assert.deepEqual(queriesOf(geometry, 2), { from: 4, to: 9 });
    assert.deepEqual(keysOf(geometry, 1), { from: 3, to: 4 });
    assert.equal(isAboveDiagonal(geometry, 0, 1), true);
    assert.equal(isAboveDiagonal(geometry, 2, 2), false);
  });

  it('gives a short passage cells that can be pointed at, and a label each', () => {
    const geometry = matrixGeometry(shapeOf(wholeWindow(43), 400), room);
    assert.equal(geometry.cell, 9);
    assert.equal(geometry.labelEvery, 1);
    assert.deepEqual(cellAt(geometry, geometry.labels + 9 * 18 + 4, geometry.labels + 9 * 35 + 4), {
      row: 35,
      column: 18,
    });
  });

  it('does not blow a few tokens up to tiles', () => {
    assert.equal(matrixGeometry(shapeOf(wholeWindow(3), 400), room).cell, 22);
  });

  it('thins labels out where they would touch', () => {
    assert.equal(matrixGeometry(shapeOf(wholeWindow(100), 400), room).labelEvery, 2);
  });

  it('groups what a pixel cannot show, and names the tokens of a group', () => {
    const resolution = usefulResolution(room);
    const shape = shapeOf(wholeWindow(1000), resolution);
    const geometry = matrixGeometry(shape, room);
    assert.equal(shape.queriesPerRow, 3);
    assert.equal(shape.rows, 334);
    assert.ok(geometry.width <= room.width && geometry.height <= room.height);
    assert.deepEqual(queriesOf(geometry, 333), { from: 999, to: 1000 });
    assert.deepEqual(keysOf(geometry, 1), { from: 3, to: 6 });
    assert.equal(rowOf(geometry, 5), 1);
  });

  it('counts device pixels', () => {
    assert.equal(usefulResolution({ ...room, devicePixelRatio: 2 }), 2 * usefulResolution(room));
    const geometry = matrixGeometry(shapeOf(wholeWindow(90), 400), { ...room, devicePixelRatio: 2 });
    assert.equal(geometry.cell % 0.5, 0);
  });

  it('knows what lies above the diagonal, in a window and in groups', () => {
    const window = { queries: { from: 10, to: 30 }, keys: { from: 20, to: 40 } };
    const shape = shapeOf(window, 10);
    assert.equal(shape.queriesPerRow, 2);
    assert.equal(isAboveDiagonal(shape, 4, 0), true);
    // Queries 20–21 see key 20 but not key 22.
    assert.equal(isAboveDiagonal(shape, 5, 0), false);
    assert.equal(isAboveDiagonal(shape, 5, 1), true);
    const geometry = matrixGeometry(shape, room);
    assert.equal(cellAt(geometry, geometry.labels + 1, geometry.labels + 1), null);
    assert.equal(columnOf(geometry, 19), null);
  });

  it('says where the value has room beside the crosshair', () => {
    assert.equal(hasEmptyTriangle(matrixGeometry(shapeOf(wholeWindow(43), 400), room)), true);
    const below = { queries: { from: 100, to: 140 }, keys: { from: 0, to: 40 } };
    assert.equal(hasEmptyTriangle(matrixGeometry(shapeOf(below, 400), room)), false);
    assert.equal(hasEmptyTriangle(matrixGeometry(shapeOf(wholeWindow(4), 400), room)), false);
  });
});
