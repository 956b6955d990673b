import type { HeadMatrix } from '../../src/protocol/trace';

/** One line of the Lines display, from a row to a column. */
export interface AttentionLine {
  readonly row: number;
  readonly column: number;
  readonly weight: number;
}

/** Weaker lines would not be seen. */
export const WEAKEST_LINE = 0.015;

/** More lines than this are a grey area, and take longer to draw than a frame lasts. */
export const MOST_LINES = 4000;

/**
 * The lines to draw, weakest first so that strong ones lie on top.
 * @param skipFirst Leaves out key 0 of the passage, and what is grouped with it.
 */
export function linesOf(matrix: HeadMatrix, skipFirst: boolean): { lines: AttentionLine[]; leftOut: number } {
  const { rows, columns, weights } = matrix;
  const firstColumn = skipFirst && matrix.keys.from === 0 ? 1 : 0;
  const lines: AttentionLine[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = firstColumn; column < columns; column++) {
      const weight = weights[row * columns + column];
      if (weight > WEAKEST_LINE) {
        lines.push({ row, column, weight });
      }
    }
  }
  lines.sort((one, other) => one.weight - other.weight);
  const leftOut = Math.max(0, lines.length - MOST_LINES);
  return { lines: leftOut > 0 ? lines.slice(leftOut) : lines, leftOut };
}
