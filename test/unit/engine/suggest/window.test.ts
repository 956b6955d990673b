import assert from 'node:assert/strict';
import { windowStart } from '../../../../src/engine/suggest/window';

describe('the window of a text that is read', () => {
  it('begins with the text while that fits', () => {
    assert.equal(
      windowStart(0, 100, () => 0),
      0,
    );
    assert.equal(
      windowStart(100, 100, () => 0),
      0,
    );
  });

  it('is cut with room to grow, and then stays where it is', () => {
    let start = windowStart(101, 100, () => 0);
    assert.equal(start, 26);
    const starts = new Set<number>();
    for (let total = 102; total <= 126; total++) {
      const known = start;
      start = windowStart(total, 100, (from) => (from === known ? total - 1 - known : 0));
      starts.add(start);
      assert.ok(total - start <= 100);
    }
    assert.deepEqual([...starts], [26]);
    assert.equal(
      windowStart(127, 100, (from) => (from === 26 ? 100 : 0)),
      52,
    );
  });

  it('is not held by a few tokens that happen to be known', () => {
    assert.equal(
      windowStart(150, 100, (from) => (from === 60 ? 5 : 0)),
      75,
    );
  });
});
