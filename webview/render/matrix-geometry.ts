import type { TokenRange } from '../../src/protocol/trace';
import type { MatrixWindow } from './token-window';

/**
 * Where the cells of a matrix lie. All lengths are in CSS pixels; cells begin and end on device pixels.
 */
export interface MatrixGeometry extends MatrixShape {
  /** Whether pairs above the diagonal have cells too. */
  readonly full: boolean;
  readonly window: MatrixWindow;
  /** Room for the labels, left of and above the cells. */
  readonly labels: number;
  /** Side of a cell, not always a whole number. */
  readonly cell: number;
  readonly width: number;
  readonly height: number;
  /** Every how many rows or columns a label is drawn. */
  readonly labelEvery: number;
}

/** Side at which a cell is comfortable to point at, and labels of neighbours do not touch. */
const LABEL_PITCH = 8;
const LABELS_WIDE = 64;
const LABELS_NARROW = 56;

/** What a matrix may take, labels included. */
export interface MatrixRoom {
  readonly width: number;
  readonly height: number;
  readonly devicePixelRatio: number;
}

/** Largest cell for a matrix of so many tokens: a short passage does not fill the panel with tiles. */
export function largestCell(tokens: number): number {
  return Math.min(22, Math.max(8, Math.round(400 / tokens)));
}

/** How many rows and columns at most are worth asking for: one a device pixel. */
export function usefulResolution(room: MatrixRoom): number {
  const side = Math.min(room.width - LABELS_WIDE, room.height - LABELS_WIDE);
  return Math.max(16, Math.floor(side * room.devicePixelRatio));
}

/** Which tokens a matrix shows, in how many cells: the part of `HeadMatrix` that its drawing depends on. */
export interface MatrixShape {
  /** Whether pairs above the diagonal have cells too. */
  readonly full?: boolean;
  readonly queries: TokenRange;
  readonly keys: TokenRange;
  readonly rows: number;
  readonly columns: number;
  readonly queriesPerRow: number;
  readonly keysPerColumn: number;
  /** First token of each row, and the end of the last, where rows are not all of the same number. Columns likewise. */
  readonly rowStarts?: Uint32Array;
  readonly columnStarts?: Uint32Array;
}

/** Fits the cells of a matrix into the room there is. */
export function matrixGeometry(shape: MatrixShape, room: MatrixRoom): MatrixGeometry {
  const { rows, columns } = shape;
  const most = largestCell(Math.max(rows * (shape.queriesPerRow || 1), columns * (shape.keysPerColumn || 1)));
  const place = (labels: number) => Math.min((room.width - labels - 1) / columns, (room.height - labels - 1) / rows);
  const labels = place(LABELS_WIDE) >= 9 && room.width >= 400 ? LABELS_WIDE : LABELS_NARROW;
  const fitting = Math.min(most, place(labels));
  const devicePixels = fitting * room.devicePixelRatio;
  // Whole device pixels where that costs little room, so that all cells look the same.
  const whole = Math.floor(devicePixels);
  const cell = Math.max(1, whole >= devicePixels * 0.85 ? whole : devicePixels) / room.devicePixelRatio;
  const { queries, keys, queriesPerRow, keysPerColumn, rowStarts, columnStarts } = shape;
  return {
    full: shape.full ?? false,
    window: { queries, keys },
    ...{ queries, keys, rows, columns, queriesPerRow, keysPerColumn },
    ...(rowStarts === undefined ? {} : { rowStarts }),
    ...(columnStarts === undefined ? {} : { columnStarts }),
    labels,
    cell,
    width: labels + Math.ceil(columns * cell) + 1,
    height: labels + Math.ceil(rows * cell) + 1,
    labelEvery: Math.max(1, Math.ceil(LABEL_PITCH / cell)),
  };
}

/** The row that shows a query; null where it lies outside of the window. */
export function rowOf({ queries, queriesPerRow, rowStarts }: MatrixShape, query: number): number | null {
  return place(queries, queriesPerRow, rowStarts, query);
}

/** The column that shows a key; null where it lies outside of the window. */
export function columnOf({ keys, keysPerColumn, columnStarts }: MatrixShape, key: number): number | null {
  return place(keys, keysPerColumn, columnStarts, key);
}

function place(range: TokenRange, group: number, starts: Uint32Array | undefined, token: number): number | null {
  if (token < range.from || token >= range.to) {
    return null;
  }
  return starts === undefined
    ? Math.floor((token - range.from) / group)
    : starts.findLastIndex((start) => start <= token);
}

/** The tokens that a row stands for. */
export function queriesOf({ queries, queriesPerRow, rowStarts }: MatrixShape, row: number): TokenRange {
  return tokensOf(queries, queriesPerRow, rowStarts, row);
}

/** The tokens that a column stands for. */
export function keysOf({ keys, keysPerColumn, columnStarts }: MatrixShape, column: number): TokenRange {
  return tokensOf(keys, keysPerColumn, columnStarts, column);
}

function tokensOf(range: TokenRange, size: number, starts: Uint32Array | undefined, at: number): TokenRange {
  if (starts !== undefined) {
    return { from: starts[at], to: starts[at + 1] };
  }
  const from = range.from + at * size;
  return { from, to: Math.min(range.to, from + size) };
}

/** Whether no query of the cell can see any of its keys; never where those pairs are shown too. */
export function isAboveDiagonal(shape: MatrixShape, row: number, column: number): boolean {
  return !shape.full && keysOf(shape, column).from >= queriesOf(shape, row).to;
}

/** The cell under a point of the canvas; null in the labels, outside, and above the diagonal. */
export function cellAt(geometry: MatrixGeometry, x: number, y: number): { row: number; column: number } | null {
  const row = Math.floor((y - geometry.labels) / geometry.cell);
  const column = Math.floor((x - geometry.labels) / geometry.cell);
  if (row < 0 || column < 0 || row >= geometry.rows || column >= geometry.columns) {
    return null;
  }
  return isAboveDiagonal(geometry, row, column) ? null : { row, column };
}

/** Whether the upper right of the matrix is empty and has room for the value under the crosshair. */
export function hasEmptyTriangle(geometry: MatrixGeometry): boolean {
  const rows = Math.ceil(48 / geometry.cell);
  const columns = Math.ceil(190 / geometry.cell);
  return (
    geometry.rows > rows &&
    geometry.columns > columns &&
    isAboveDiagonal(geometry, rows, Math.max(0, geometry.columns - columns))
  );
}
