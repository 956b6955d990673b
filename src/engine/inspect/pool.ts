import type { TokenRange } from '../../protocol/trace';

/** How a range of tokens falls into cells. */
export interface Grouping {
  readonly cells: number;
  /** Tokens a cell; the last cell may have fewer. */
  readonly tokensPerCell: number;
}

/** The fewest tokens a cell that need at most `resolution` cells. */
export function group(tokens: number, resolution: number): Grouping {
  const tokensPerCell = Math.max(1, Math.ceil(tokens / Math.max(1, resolution)));
  return { tokensPerCell, cells: Math.ceil(tokens / tokensPerCell) };
}

/**
 * A window of one head's weights at the resolution of a screen. A cell is the mean over its queries of the attention
 * that falls on its keys together: rows of the whole matrix still sum to 1, and a lone strong key stays visible.
 *
 * @param weights [T, T]
 * @returns [rows.cells, columns.cells]
 */
export function poolWeights(
  weights: Float32Array,
  length: number,
  queries: TokenRange,
  rows: Grouping,
  keys: TokenRange,
  columns: Grouping,
): Float32Array {
  const pooled = new Float32Array(rows.cells * columns.cells);
  for (let row = 0; row < rows.cells; row++) {
    const firstQuery = queries.from + row * rows.tokensPerCell;
    const endQuery = Math.min(firstQuery + rows.tokensPerCell, queries.to);
    for (let query = firstQuery; query < endQuery; query++) {
      // Nothing lies above the diagonal of a causal model, but that is for the weights to say.
      let column = 0;
      let inColumn = 0;
      for (let key = keys.from; key < keys.to; key++) {
        pooled[row * columns.cells + column] += weights[query * length + key];
        if (++inColumn === columns.tokensPerCell) {
          column++;
          inColumn = 0;
        }
      }
    }
    const count = endQuery - firstQuery;
    if (count > 1) {
      for (let column = 0; column < columns.cells; column++) {
        pooled[row * columns.cells + column] /= count;
      }
    }
  }
  return pooled;
}
