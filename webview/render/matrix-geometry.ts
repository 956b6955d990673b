import type { TokenRange } from '../../src/protocol/trace';
import type { MatrixWindow } from './token-window';

/**
 * Where the cells of a matrix lie. All lengths are in CSS pixels; cells begin and end on device pixels.
 */
export interface MatrixGeometry {
  /** Whether pairs above the diagonal have cells too. */
  readonly full?: boolean;
  readonly window: MatrixWindow;
  readonly rows: number;
  readonly columns: number;
  readonly queriesPerRow: number;
  readonly keysPerColumn: number;
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
}

/** Fits the cells of a matrix into the room there is. */
export function matrixGeometry(shape: MatrixShape, room: MatrixRoom): MatrixGeometry {
  const { rows, columns } = shape;
  const most = largestCell(Math.max(rows * shape.queriesPerRow, columns * shape.keysPerColumn));
  const place = (labels: number) => Math.min((room.width - labels - 1) / columns, (room.height - labels - 1) / rows);
  const labels = place(LABELS_WIDE) >= 9 && room.width >= 400 ? LABELS_WIDE : LABELS_NARROW;
  const fitting = Math.min(most, place(labels));
  const devicePixels = fitting * room.devicePixelRatio;
  // Whole device pixels where that costs little room, so that all cells look the same.
  const whole = Math.floor(devicePixels);
  const cell = Math.max(1, whole >= devicePixels * 0.85 ? whole : devicePixels) / room.devicePixelRatio;
  return {
    full: shape.full ?? false,
    window: { queries: shape.queries, keys: shape.keys },
    rows,
    columns,
    queriesPerRow: shape.queriesPerRow,
    keysPerColumn: shape.keysPerColumn,
    labels,
    cell,
    width: labels + Math.ceil(columns * cell) + 1,
    height: labels + Math.ceil(rows * cell) + 1,
    labelEvery: Math.max(1, Math.ceil(LABEL_PITCH / cell)),
  };
}

/** The row that shows a query; null where it lies outside of the window. */
export function rowOf(geometry: MatrixGeometry, query: number): number | null {
  return place(geometry.window.queries, geometry.queriesPerRow, query);
}

/** The column that shows a key; null where it lies outside of the window. */
export function columnOf(geometry: MatrixGeometry, key: number): number | null {
  return place(geometry.window.keys, geometry.keysPerColumn, key);
}

function place(range: TokenRange, group: number, token: number): number | null {
  return token < range.from || token >= range.to ? null : Math.floor((token - range.from) / group);
}

/** The tokens that a row stands for. */
export function queriesOf(geometry: MatrixGeometry, row: number): TokenRange {
  return group(geometry.window.queries, geometry.queriesPerRow, row);
}

/** The tokens that a column stands for. */
export function keysOf(geometry: MatrixGeometry, column: number): TokenRange {
  return group(geometry.window.keys, geometry.keysPerColumn, column);
}

function group(range: TokenRange, size: number, at: number): TokenRange {
  const from = range.from + at * size;
  return { from, to: Math.min(range.to, from + size) };
}

/** Whether no query of the cell can see any of its keys; never where those pairs are shown too. */
export function isAboveDiagonal(geometry: MatrixShape | MatrixGeometry, row: number, column: number): boolean {
  if (geometry.full) {
    return false;
  }
  const { queries, keys } = 'window' in geometry ? geometry.window : geometry;
  const lastQuery = Math.min(queries.to, queries.from + (row + 1) * geometry.queriesPerRow) - 1;
  return keys.from + column * geometry.keysPerColumn > lastQuery;
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
