import assert from 'node:assert/strict';
import { guessBehind } from '../../../../src/engine/suggest/lookahead';

describe('guessBehind', () => {
  it('goes on as a text did where most of its last tokens stood before', () => {
    assert.deepEqual(guessBehind([1, 2, 3, 4, 9, 3, 5, 2, 3], []), [4, 9]);
    // The latest of those places.
    assert.deepEqual(guessBehind([3, 4, 7, 3, 5, 8, 3], []), [5, 8]);
    assert.deepEqual(guessBehind([1, 2, 3], []), []);
    assert.deepEqual(guessBehind([], [[1, 2]]), []);
  });

  it('looks first in what was written last', () => {
    const written = [
      [2, 3, 7],
      [2, 3, 8, 9],
    ];
    assert.deepEqual(guessBehind([2, 3, 4, 2, 3], written), [8, 9]);
    // More tokens that agree count for more.
    assert.deepEqual(guessBehind([1, 2, 3, 4, 1, 2, 3], written), [4, 1]);
    assert.deepEqual(guessBehind([8], written), [9]);
  });
});
