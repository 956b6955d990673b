/** Paints weights into pixels. Everything here counts in device pixels and knows no canvas. */

/** Pixels in rows, memory order R, G, B, A: what `ImageData` holds. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint32Array<ArrayBuffer>;
}

/** What `paintCells` draws. */
export interface HeatMapCells {
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns]; weights 0–1 unless `place` says otherwise */
  readonly weights: Float32Array;
  /** Where a number lies in the colour table, 0–1; a weight on a square-root scale where it is left out. */
  readonly place?: (value: number) => number;
  /** Cells that stay transparent: above the diagonal, and a hidden column. */
  readonly isEmpty: (row: number, column: number) => boolean;
}

/**
 * Draws one rectangle a cell.
 * @param cell Side of a cell; where it is not whole, neighbours differ by one pixel.
 * @param gap Empty pixels between cells.
 * @param table A colour table of `colourTable`.
 */
export function paintCells(cells: HeatMapCells, cell: number, gap: number, table: Uint32Array): Pixels {
  const { rows, columns, weights, isEmpty, place = rootOfWeight } = cells;
  const width = Math.max(1, Math.ceil(columns * cell));
  const height = Math.max(1, Math.ceil(rows * cell));
  const data = new Uint32Array(width * height);
  const last = table.length - 1;
  const edges = Int32Array.from({ length: Math.max(rows, columns) + 1 }, (_, at) => Math.round(at * cell));
  for (let row = 0; row < rows; row++) {
    const top = edges[row];
    const bottom = Math.max(top + 1, edges[row + 1] - gap);
    const line = top * width;
    for (let column = 0; column < columns; column++) {
      if (isEmpty(row, column)) {
        continue;
      }
      const colour = table[Math.round(place(weights[row * columns + column]) * last)];
      const right = line + Math.max(edges[column] + 1, edges[column + 1] - gap);
      // Most cells are a pixel or two wide: a call for each would take longer than the drawing.
      for (let at = line + edges[column]; at < right; at++) {
        data[at] = colour;
      }
    }
    for (let y = top + 1; y < bottom; y++) {
      data.copyWithin(y * width, line, line + width);
    }
  }
  return { width, height, data };
}

function rootOfWeight(weight: number): number {
  return Math.sqrt(Math.min(1, Math.max(0, weight)));
}

/**
 * Draws a thumbnail, square-root scale already applied. Where it has more cells than pixels a pixel takes the strongest
 * of its cells, so that thin diagonals stay whole.
 * @param values [side, side], 0–255
 * @param pixels Side of the picture.
 * @param hideFirst Leaves out the first column: key 0 and what is grouped with it.
 */
export function paintThumbnail(
  values: Uint8Array,
  side: number,
  pixels: number,
  table: Uint32Array,
  hideFirst: boolean,
): Pixels {
  const data = new Uint32Array(pixels * pixels);
  const scale = (table.length - 1) / 255;
  const step = side / pixels;
  for (let y = 0; y < pixels; y++) {
    const fromRow = Math.floor(y * step);
    const toRow = Math.max(fromRow + 1, Math.floor((y + 1) * step));
    for (let x = 0; x < pixels; x++) {
      const fromColumn = Math.floor(x * step);
      const toColumn = Math.max(fromColumn + 1, Math.floor((x + 1) * step));
      if (fromColumn >= toRow) {
        continue;
      }
      let strongest = 0;
      for (let row = fromRow; row < toRow; row++) {
        for (
          let column = hideFirst ? Math.max(1, fromColumn) : fromColumn;
          column < toColumn && column <= row;
          column++
        ) {
          strongest = Math.max(strongest, values[row * side + column]);
        }
      }
      data[y * pixels + x] = table[Math.round(strongest * scale)];
    }
  }
  return { width: pixels, height: pixels, data };
}
