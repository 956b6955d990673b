import type { HeadMatrix } from '../../src/protocol/trace';
import { contains } from '../render/token-window';
import type { Cell, PanelStore } from '../state';
import type { ShownMatrix } from './shown-matrix';

/** The number at a cell; null where the matrix does not show it. */
export function cellValue(matrix: HeadMatrix, { query, key }: Cell): number | null {
  if (!contains(matrix.queries, query) || !contains(matrix.keys, key)) {
    return null;
  }
  const row = Math.floor((query - matrix.queries.from) / matrix.queriesPerRow);
  const column = Math.floor((key - matrix.keys.from) / matrix.keysPerColumn);
  return matrix.weights[row * matrix.columns + column];
}

/** "#35 ·step → #18 ·at", or the tokens that a grouped cell stands for. */
export function pairName({ matrix, labels }: ShownMatrix, { query, key }: Cell): string {
  const name = (token: number, group: number, end: number) =>
    group === 1 ? `#${token} ${labels[token]}` : `#${token}–${Math.min(end, token + group) - 1}`;
  const from = name(query, matrix.queriesPerRow, matrix.queries.to);
  return `${from} → ${name(key, matrix.keysPerColumn, matrix.keys.to)}`;
}

/** Moves the crosshair over the matrix and says where it stands. */
export function moveByKey(store: PanelStore, shown: ShownMatrix, event: KeyboardEvent): void {
  if (event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) {
    return;
  }
  const { matrix, trace } = shown;
  const last = trace.tokens.length - 1;
  const from = store.state.cursor ?? { query: matrix.queries.to - 1, key: matrix.keys.from };
  const rows = matrix.queriesPerRow;
  const columns = matrix.keysPerColumn;
  const destinations: Record<string, Cell> = {
    ArrowLeft: { query: from.query, key: from.key - columns },
    ArrowRight: { query: from.query, key: from.key + columns },
    ArrowUp: { query: from.query - rows, key: from.key },
    ArrowDown: { query: from.query + rows, key: from.key },
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
