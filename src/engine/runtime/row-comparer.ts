import type { InferenceSession } from 'onnxruntime-node';
import { encodeModel } from '../onnx/build';
import { DataType } from '../onnx/data-type';
import { openSmallSession, type Runtime } from './providers';

/** A row of a table, and how nearly it points where another vector does. */
export interface NearRow {
  readonly row: number;
  /** a·b / (‖a‖ ‖b‖), from −1 to 1. */
  readonly cosine: number;
}

const OUTPUTS = ['best', 'rows'] as const;
/** What rows of zeros have, which point nowhere. */
const NOWHERE = -2;

/** Compares the rows of tables with vectors, on all cores. */
export class RowComparer {
  private session: Promise<InferenceSession> | null = null;

  constructor(private readonly runtime: Runtime) {}

  /**
   * The rows that point most nearly where vectors do.
   *
   * @param table [N, D]
   * @param vectors Q times [D]
   * @returns of each vector so many rows, the nearest first, equal ones by lower index; fewer where the table ends
   */
  async nearest(
    table: Float32Array,
    vectors: readonly Float32Array[],
    limit: number,
  ): Promise<readonly (readonly NearRow[])[]> {
    const { Tensor } = this.runtime;
    this.session ??= openSmallSession(COMPARER, 'the comparer of rows');
    const session = await this.session;
    const width = vectors[0].length;
    const rows = table.length / width;
    const count = Math.min(limit, rows);
    const columns = new Float32Array(width * vectors.length);
    for (const [column, vector] of vectors.entries()) {
      const length = Math.hypot(...vector);
      for (const [at, value] of vector.entries()) {
        columns[at * vectors.length + column] = length === 0 ? 0 : value / length;
      }
    }
    const results = await session.run(
      {
        table: new Tensor('float32', table, [rows, width]),
        vectors: new Tensor('float32', columns, [width, vectors.length]),
        limit: new Tensor('int64', BigInt64Array.of(BigInt(count)), [1]),
      },
      [...OUTPUTS],
    );
    const best = results.best.data as Float32Array;
    const found = results.rows.data as BigInt64Array;
    return vectors.map((vector, column) =>
      Array.from({ length: vector.some((value) => value !== 0) ? count : 0 }, (_, place) => ({
        row: Number(found[place * vectors.length + column]),
        cosine: best[place * vectors.length + column],
      })).filter(({ cosine }) => cosine > NOWHERE),
    );
  }

  async dispose(): Promise<void> {
    const session = await this.session?.catch(() => null);
    this.session = null;
    await session?.release();
  }
}

/** table [N, D], unit vectors [D, Q] and limit [1] → the largest cosines and their rows, [limit, Q]. */
const COMPARER = encodeModel({
  irVersion: 8,
  opsets: [['', 17]],
  graph: {
    nodes: [
      { opType: 'ReduceL2', inputs: ['table'], outputs: ['lengths'], attributes: { axes: [-1] } },
      { opType: 'MatMul', inputs: ['table', 'vectors'], outputs: ['products'] },
      { opType: 'Div', inputs: ['products', 'lengths'], outputs: ['quotients'] },
      { opType: 'Constant', inputs: [], outputs: ['zero'], attributes: { value_float: { float: 0 } } },
      { opType: 'Constant', inputs: [], outputs: ['nowhere'], attributes: { value_float: { float: NOWHERE } } },
      { opType: 'Greater', inputs: ['lengths', 'zero'], outputs: ['points'] },
      { opType: 'Where', inputs: ['points', 'quotients', 'nowhere'], outputs: ['cosines'] },
      { opType: 'TopK', inputs: ['cosines', 'limit'], outputs: ['best', 'rows'], attributes: { axis: 0 } },
    ],
    inputs: [
      { name: 'table', elementType: DataType.Float32, dims: ['rows', 'width'] },
      { name: 'vectors', elementType: DataType.Float32, dims: ['width', 'columns'] },
      { name: 'limit', elementType: DataType.Int64, dims: [1] },
    ],
    outputs: OUTPUTS.map((name) => ({ name })),
  },
}).finish();
