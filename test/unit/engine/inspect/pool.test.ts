import assert from 'node:assert/strict';
import { group, groupUnits, poolLargest, poolWeights } from '../../../../src/engine/inspect/pool';

/** A causal matrix whose row q spreads evenly over its q + 1 keys. */
function evenWeights(length: number): Float32Array {
  return Float32Array.from({ length: length * length }, (_, i) => {
    const query = Math.floor(i / length);
    return i % length <= query ? 1 / (query + 1) : 0;
  });
}

describe('pooling attention weights', () => {
  it('groups by as few tokens a cell as fit the resolution', () => {
    const cells = (tokens: number) => {
      const { starts, ...grouping } = group({ from: 0, to: tokens }, 24);
      assert.equal(starts.at(-1), tokens);
      return grouping;
    };
    assert.deepEqual(cells(20), { tokensPerCell: 1, cells: 20 });
    assert.deepEqual(cells(24), { tokensPerCell: 1, cells: 24 });
    assert.deepEqual(cells(25), { tokensPerCell: 2, cells: 13 });
    assert.deepEqual(cells(1000), { tokensPerCell: 42, cells: 24 });
  });

  it('hands a window that fits through unchanged', () => {
    const weights = evenWeights(6);
    const range = { from: 2, to: 5 };
    const pooled = poolWeights(weights, 6, group(range, 10), group(range, 10));
    const expected = [2, 3, 4].flatMap((query) => [2, 3, 4].map((key) => weights[query * 6 + key]));
    assert.deepEqual([...pooled], expected);
  });

  it('keeps the sum of every row at 1, also where the last group is short', () => {
    const length = 23;
    const cells = group({ from: 0, to: length }, 5);
    const pooled = poolWeights(evenWeights(length), length, cells, cells);
    for (let row = 0; row < cells.cells; row++) {
      const sum = pooled
        .subarray(row * cells.cells, (row + 1) * cells.cells)
        .reduce((total, value) => total + value, 0);
      assert.ok(Math.abs(sum - 1) < 1e-6, `row ${row} sums to ${sum}`);
    }
  });

  it('keeps what lies wholly above the diagonal at exactly 0', () => {
    const cells = group({ from: 0, to: 8 }, 4);
    const pooled = poolWeights(evenWeights(8), 8, cells, cells);
    for (let row = 0; row < 4; row++) {
      for (let column = row + 1; column < 4; column++) {
        assert.equal(pooled[row * 4 + column], 0);
      }
    }
  });

  it('merges units: summed over the keys of one, the mean over the queries of one', () => {
    const weights = Float32Array.from([1, 0, 0, 0.25, 0.75, 0, 0.5, 0.125, 0.375]);
    const units = groupUnits({ from: 0, to: 3 }, [0, 2], 10);
    assert.deepEqual([...units.starts], [0, 2, 3]);
    assert.deepEqual([...poolWeights(weights, 3, units, units)], [1, 0, 0.625, 0.375]);
    assert.deepEqual([...poolLargest(weights, 3, units, units)], [1, 0, 0.5, 0.375]);
  });

  it('cuts units at the edges of a window, and takes several together where there are too many', () => {
    const units = [0, 3, 5, 9, 12];
    assert.deepEqual([...groupUnits({ from: 4, to: 11 }, units, 10).starts], [4, 5, 9, 11]);
    assert.deepEqual([...groupUnits({ from: 0, to: 14 }, units, 2).starts], [0, 9, 14]);
  });
});
