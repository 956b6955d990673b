import assert from 'node:assert/strict';
import {
  fitWindow,
  isWhole,
  lengthOf,
  revealCell,
  SMALLEST_WINDOW,
  wholeWindow,
  zoomWindow,
} from '../../../../webview/render/token-window';

describe('token window', () => {
  it('zooms in around a cell and keeps it in place', () => {
    const zoomed = zoomWindow(wholeWindow(512), 0.5, { query: 400, key: 100 }, 512);
    assert.equal(lengthOf(zoomed.queries), 256);
    const share = (range: { from: number; to: number }, token: number) => (token + 0.5 - range.from) / lengthOf(range);
    assert.ok(Math.abs(share(zoomed.queries, 400) - 400.5 / 512) < 0.01);
    assert.ok(Math.abs(share(zoomed.keys, 100) - 100.5 / 512) < 0.01);
  });

  it('always gets on, down to the smallest window and up to all tokens', () => {
    let window = wholeWindow(200);
    for (let step = 0; step < 60; step++) {
      window = zoomWindow(window, 0.97, { query: 150, key: 20 }, 200);
    }
    assert.equal(lengthOf(window.queries) < 100, true);
    for (let step = 0; step < 20; step++) {
      window = zoomWindow(window, 0.5, { query: 150, key: 20 }, 200);
    }
    assert.equal(lengthOf(window.queries), SMALLEST_WINDOW);
    for (let step = 0; step < 10; step++) {
      window = zoomWindow(window, 2, { query: 150, key: 20 }, 200);
    }
    assert.equal(isWhole(window, 200), true);
  });

  it('stays inside of the passage', () => {
    const fitted = fitWindow({ queries: { from: 95, to: 99 }, keys: { from: -3, to: 2 } }, 100);
    assert.deepEqual(fitted, { queries: { from: 92, to: 100 }, keys: { from: 0, to: 8 } });
    assert.deepEqual(fitWindow(wholeWindow(500), 3), wholeWindow(3));
  });

  it('moves no further than it takes to show a cell', () => {
    const window = { queries: { from: 10, to: 20 }, keys: { from: 0, to: 10 } };
    assert.deepEqual(revealCell(window, 20, 4), { queries: { from: 11, to: 21 }, keys: { from: 0, to: 10 } });
    assert.deepEqual(revealCell(window, 5, 4).queries, { from: 5, to: 15 });
    assert.equal(revealCell(window, 12, 3).queries, window.queries);
  });
});
