import type { HeadMatrix, TokenRange } from '../../src/protocol/trace';
import { columnOf, keysOf, queriesOf, rowOf } from '../render/matrix-geometry';
import { shortLabel } from '../render/visible-text';
import type { Cell, PanelStore } from '../state';
import type { ShownMatrix } from './shown-matrix';

/** Characters of a unit's text. */
const LONGEST_NAME = 24;

/** The number at a cell; null where the matrix does not show it. */
export function cellValue(matrix: HeadMatrix, { query, key }: Cell): number | null {
  const row = rowOf(matrix, query);
  const column = columnOf(matrix, key);
  return row === null || column === null ? null : matrix.weights[row * matrix.columns + column];
}

/** "#35 ·step → #18 ·at", or the tokens that a grouped cell stands for. */
export function pairName(shown: ShownMatrix, { query, key }: Cell): string {
  const { matrix } = shown;
  const row = rowOf(matrix, query);
  const column = columnOf(matrix, key);
  const from = row === null ? { from: query, to: query + 1 } : queriesOf(matrix, row);
  const to = column === null ? { from: key, to: key + 1 } : keysOf(matrix, column);
  return `${cellName(shown, from)} → ${cellName(shown, to)}`;
}

function cellName({ labels, unitLabels }: ShownMatrix, { from, to }: TokenRange): string {
  const numbers = to - from === 1 ? `#${from}` : `#${from}–${to - 1}`;
  const label = unitLabels?.get(from) ?? (to - from === 1 ? labels[from] : undefined);
  return label === undefined ? numbers : `${numbers} ${shortLabel(label, LONGEST_NAME)}`;
}

/** Moves the crosshair over the matrix and says where it stands. */
export function moveByKey(store: PanelStore, shown: ShownMatrix, event: KeyboardEvent): void {
  if (event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) {
    return;
  }
  const { matrix, trace } = shown;
  const last = trace.tokens.length - 1;
  const from = store.state.cursor ?? { query: matrix.queries.to - 1, key: matrix.keys.from };
  const row = rowOf(matrix, from.query);
  const column = columnOf(matrix, from.key);
  const { from: firstQuery, to: endQuery } =
    row === null ? { from: from.query, to: from.query + 1 } : queriesOf(matrix, row);
  const { from: firstKey, to: endKey } =
    column === null ? { from: from.key, to: from.key + 1 } : keysOf(matrix, column);
  // Back to where the cell before begins; beyond the window there are single tokens.
  const before = (first: number, cell: number | null, rangeOf: (at: number) => TokenRange) =>
    cell === null || cell === 0 ? first - 1 : rangeOf(cell - 1).from;
  const destinations: Record<string, Cell> = {
    ArrowLeft: { query: from.query, key: before(firstKey, column, (at) => keysOf(matrix, at)) },
    ArrowRight: { query: from.query, key: endKey },
    ArrowUp: { query: before(firstQuery, row, (at) => queriesOf(matrix, at)), key: from.key },
    ArrowDown: { query: endQuery, key: from.key },
    Home: { query: from.query, key: 0 },
    End: { query: from.query, key: from.query },
    Enter: from,
  };
  const to = destinations[event.key];
  if (to === undefined) {
    return;
  }
  event.preventDefault();
  const query = Math.min(last, Math.max(0, to.query));
  const lastKey = shown.scale.full ? last : query;
  const cursor = { query, key: Math.min(lastKey, Math.max(0, to.key)) };
  if (event.key === 'Enter') {
    store.pin(query);
  }
  store.moveCursor(cursor);
  const value = cellValue(matrix, cursor);
  const pinned = event.key === 'Enter' ? `Pinned token ${query}. ` : '';
  store.announce(`${pinned}${pairName(shown, cursor)}${value === null ? '' : `: ${shown.scale.format(value)}`}`);
}
