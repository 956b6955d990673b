import assert from 'node:assert/strict';
import { group, poolWeights } from '../../../../src/engine/inspect/pool';

/** A causal matrix whose row q spreads evenly over its q + 1 keys. */
function evenWeights(length: number): Float32Array {
  return Float32Array.from({ length: length * length }, (_, i) => {
    const query = Math.floor(i / length);
    return i % length <= query ? 1 / (query + 1) : 0;
  });
}

describe('pooling attention weights', () => {
  it('groups by as few tokens a cell as fit the resolution', () => {
    assert.deepEqual(group(20, 24), { tokensPerCell: 1, cells: 20 });
    assert.deepEqual(group(24, 24), { tokensPerCell: 1, cells: 24 });
    assert.deepEqual(group(25, 24), { tokensPerCell: 2, cells: 13 });
    assert.deepEqual(group(1000, 24), { tokensPerCell: 42, cells: 24 });
  });

  it('hands a window that fits through unchanged', () => {
    const weights = evenWeights(6);
    const range = { from: 2, to: 5 };
    const pooled = poolWeights(weights, 6, range, group(3, 10), range, group(3, 10));
    const expected = [2, 3, 4].flatMap((query) => [2, 3, 4].map((key) => weights[query * 6 + key]));
    assert.deepEqual([...pooled], expected);
  });

  it('keeps the sum of every row at 1, also where the last group is short', () => {
    const length = 23;
    const all = { from: 0, to: length };
    const cells = group(length, 5);
    const pooled = poolWeights(evenWeights(length), length, all, cells, all, cells);
    for (let row = 0; row < cells.cells; row++) {
      const sum = pooled
        .subarray(row * cells.cells, (row + 1) * cells.cells)
        .reduce((total, value) => total + value, 0);
      assert.ok(Math.abs(sum - 1) < 1e-6, `row ${row} sums to ${sum}`);
    }
  });

  it('keeps what lies wholly above the diagonal at exactly 0', () => {
    const all = { from: 0, to: 8 };
    const pooled = poolWeights(evenWeights(8), 8, all, group(8, 4), all, group(8, 4));
    for (let row = 0; row < 4; row++) {
      for (let column = row + 1; column < 4; column++) {
        assert.equal(pooled[row * 4 + column], 0);
      }
    }
  });
});
