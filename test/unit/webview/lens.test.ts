import assert from 'node:assert/strict';
import type { LensCell } from '../../../src/protocol/stages';
import { type LensColumns, nextToRead, wholeLens } from '../../../webview/lens';

const WINDOW = { from: 20, to: 30 };

/** Columns that say of which position and depth they are. */
function read(...positions: readonly number[]): LensColumns {
  const cell = (id: number): LensCell => ({ tokens: [{ id, text: '', bytes: [], probability: 1 }], actual: null });
  return new Map(positions.map((position) => [position, [cell(100 + position), cell(200 + position)]]));
}

describe('the lens as the panel reads it', () => {
  it('reads a window from its end, a few positions at a time', () => {
    assert.deepEqual(nextToRead(WINDOW, 29, read()), { from: 27, to: 30 });
    assert.deepEqual(nextToRead(WINDOW, 29, read(27, 28, 29)), { from: 24, to: 27 });
    assert.deepEqual(nextToRead(WINDOW, 29, read(21, 22, 23, 24, 25, 26, 27, 28, 29)), { from: 20, to: 21 });
  });

  it('reads first where the pinned token stands', () => {
    assert.deepEqual(nextToRead(WINDOW, 22, read()), { from: 21, to: 24 });
    assert.deepEqual(nextToRead(WINDOW, 22, read(21, 22, 23)), { from: 27, to: 30 });
    assert.deepEqual(nextToRead(WINDOW, 5, read()), { from: 27, to: 30 });
  });

  it('asks for nothing where all of the window was read', () => {
    const columns = read(...Array.from({ length: 14 }, (_, at) => 18 + at));
    assert.equal(nextToRead(WINDOW, 29, columns), null);
    assert.equal(nextToRead({ from: 0, to: 0 }, 0, columns), null);
  });

  it('is whole once every position is there, each in its place', () => {
    assert.equal(wholeLens({ from: 2, to: 5 }, read(2, 4)), null);
    const lens = wholeLens({ from: 2, to: 5 }, read(4, 2, 3, 9))!;
    const ids = lens.rows.map((cells) => cells.map(({ tokens }) => tokens[0].id));
    assert.deepEqual(ids, [
      [102, 103, 104],
      [202, 203, 204],
    ]);
    assert.deepEqual(lens.positions, { from: 2, to: 5 });
  });

  it('has no whole lens of an empty window', () => {
    assert.equal(wholeLens({ from: 3, to: 3 }, read(3)), null);
  });
});
