import assert from 'node:assert/strict';
import { type HeadTableRow, pressed, sortHeads } from '../../../../webview/render/head-table';

const quiet = { previous: 0, induction: 0, duplicate: 0, first: 0 };

function row(head: number, induction: number): HeadTableRow {
  return { layer: 0, head, tag: null, repeated: { ...quiet, induction }, control: quiet, passage: quiet };
}

const rows = [row(0, 0.2), row(1, Number.NaN), row(2, 0.9), row(3, 0.2)];
const names = (sorted: readonly HeadTableRow[]) => sorted.map(({ head }) => head);

describe('the table of heads', () => {
  it('sorts by a score, equal ones by head, and what has none last', () => {
    const order = { by: 'score', score: 'induction', text: 'repeated', descending: true } as const;
    assert.deepEqual(names(sortHeads(rows, order)), [2, 0, 3, 1]);
    assert.deepEqual(names(sortHeads(rows, { ...order, descending: false })), [0, 3, 2, 1]);
  });

  it('sorts by layer and head', () => {
    assert.deepEqual(names(sortHeads(rows, { by: 'head', descending: true })), [3, 2, 1, 0]);
  });

  it('begins with the largest, and turns round at the second press', () => {
    const column = { score: 'first', text: 'control' } as const;
    const once = pressed({ by: 'head', descending: false }, column);
    assert.deepEqual(once, { by: 'score', ...column, descending: true });
    assert.deepEqual(pressed(once, column), { by: 'score', ...column, descending: false });
    assert.deepEqual(pressed(once, 'head'), { by: 'head', descending: false });
  });
});
