import type { HeadMatrix, TokenRange } from '../../protocol/trace';

/** How a range of tokens falls into cells. */
export interface Grouping {
  readonly cells: number;
  /** Tokens a cell, of which the last may have fewer; 0 where each has its own number. */
  readonly tokensPerCell: number;
  /** First token of each cell, and the end of the last: one more than cells. */
  readonly starts: Uint32Array;
}

/** The fewest tokens a cell that need at most `resolution` cells. */
export function group({ from, to }: TokenRange, resolution: number): Grouping {
  const tokens = to - from;
  const tokensPerCell = Math.max(1, Math.ceil(tokens / Math.max(1, resolution)));
  const cells = Math.ceil(tokens / tokensPerCell);
  return {
    tokensPerCell,
    cells,
    starts: Uint32Array.from({ length: cells + 1 }, (_, cell) => Math.min(to, from + cell * tokensPerCell)),
  };
}

/**
 * The units of a text, such as its words, as cells; the fewest units a cell that need at most `resolution` cells.
 *
 * @param units first token of each, ascending from 0
 */
export function groupUnits({ from, to }: TokenRange, units: readonly number[], resolution: number): Grouping {
  const inside = [from, ...units.filter((start) => start > from && start < to)];
  const together = Math.max(1, Math.ceil(inside.length / Math.max(1, resolution)));
  const starts = Uint32Array.from([...inside.filter((_, at) => at % together === 0), to]);
  return { tokensPerCell: 0, cells: starts.length - 1, starts };
}

/** How a window of the T × T matrix falls into cells. */
export interface WindowCells {
  readonly rows: Grouping;
  readonly columns: Grouping;
  /** What a matrix says about its cells. */
  readonly shape: Omit<HeadMatrix, 'layer' | 'head' | 'weights'>;
}

/** @param units as for `groupUnits`; null takes token by token */
export function windowCells(
  queries: TokenRange,
  keys: TokenRange,
  resolution: number,
  units: readonly number[] | null = null,
): WindowCells {
  const grouped = (range: TokenRange) =>
    units === null ? group(range, resolution) : groupUnits(range, units, resolution);
  const rows = grouped(queries);
  const columns = grouped(keys);
  return {
    rows,
    columns,
    shape: {
      queries,
      keys,
      queriesPerRow: rows.tokensPerCell,
      keysPerColumn: columns.tokensPerCell,
      rows: rows.cells,
      columns: columns.cells,
      ...(units === null ? {} : { rowStarts: rows.starts, columnStarts: columns.starts }),
    },
  };
}

/**
 * A window of one head's weights at the resolution of a screen. A cell is the mean over its queries of the attention
 * that falls on its keys together: rows of the whole matrix still sum to 1, and a lone strong key stays visible.
 *
 * @param weights [T, T]
 * @returns [rows.cells, columns.cells]
 */
export function poolWeights(weights: Float32Array, length: number, rows: Grouping, columns: Grouping): Float32Array {
  const pooled = new Float32Array(rows.cells * columns.cells);
  for (let row = 0; row < rows.cells; row++) {
    const firstQuery = rows.starts[row];
    const endQuery = rows.starts[row + 1];
    for (let query = firstQuery; query < endQuery; query++) {
      // Nothing lies above the diagonal of a causal model, but that is for the weights to say.
      for (let column = 0; column < columns.cells; column++) {
        let sum = 0;
        for (let key = columns.starts[column]; key < columns.starts[column + 1]; key++) {
          sum += weights[query * length + key];
        }
        pooled[row * columns.cells + column] += sum;
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

/** As `poolWeights`, but a cell is the largest of its pairs: for what is a largest weight already. */
export function poolLargest(weights: Float32Array, length: number, rows: Grouping, columns: Grouping): Float32Array {
  const pooled = new Float32Array(rows.cells * columns.cells);
  for (let row = 0; row < rows.cells; row++) {
    for (let query = rows.starts[row]; query < rows.starts[row + 1]; query++) {
      for (let column = 0; column < columns.cells; column++) {
        const cell = row * columns.cells + column;
        for (let key = columns.starts[column]; key < columns.starts[column + 1]; key++) {
          pooled[cell] = Math.max(pooled[cell], weights[query * length + key]);
        }
      }
    }
  }
  return pooled;
}
