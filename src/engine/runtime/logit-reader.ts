import type { InferenceSession } from 'onnxruntime-node';
import { encodeModel } from '../onnx/build';
import { DataType } from '../onnx/data-type';
import { largestLogit } from '../sampling/softmax';
import { openSmallSession, type Runtime } from './providers';

/** What a row of logits says. */
export interface LogitReading {
  /** Ids of the largest logits, largest first, equal ones by lower id. */
  readonly ids: readonly number[];
  /** Their probabilities: the softmax over all logits. */
  readonly probabilities: readonly number[];
  /** Of the token that was asked about: its probability, and its rank from 1, ties sharing the better one. */
  readonly own: { readonly probability: number; readonly rank: number } | null;
}

/** Numbers that are read at a time: 8 MB, or 40 rows of a vocabulary of 50,000. */
const NUMBERS_AT_ONCE = 2_000_000;
const OUTPUTS = ['top', 'ids', 'sum', 'own', 'above'] as const;

/** Reads rows of logits on all cores: a vocabulary takes an exponential for each of its tokens. */
export class LogitReader {
  private session: Promise<InferenceSession> | null = null;

  constructor(private readonly runtime: Runtime) {}

  /**
   * @param logits [R, V]
   * @param asked R token ids, or null, whose probability and rank are wanted
   * @throws HeadlightError `model-invalid` where a row is no distribution
   */
  async read(logits: Float32Array, asked: readonly (number | null)[], limit: number): Promise<readonly LogitReading[]> {
    const { Tensor } = this.runtime;
    this.session ??= openSmallSession(READER, 'the reader of logits');
    const session = await this.session;
    const vocabSize = logits.length / asked.length;
    const count = Math.min(Math.max(1, limit), vocabSize);
    const rowsAtOnce = Math.max(1, Math.floor(NUMBERS_AT_ONCE / vocabSize));
    const readings: LogitReading[] = [];
    for (let first = 0; first < asked.length; first += rowsAtOnce) {
      const ids = asked.slice(first, first + rowsAtOnce);
      const rows = logits.subarray(first * vocabSize, (first + ids.length) * vocabSize);
      const results = await session.run(
        {
          logits: new Tensor('float32', rows, [ids.length, vocabSize]),
          asked: new Tensor(
            'int64',
            BigInt64Array.from(ids, (id) => BigInt(id ?? 0)),
            [ids.length, 1],
          ),
          limit: new Tensor('int64', BigInt64Array.of(BigInt(count)), [1]),
        },
        [...OUTPUTS],
      );
      const [top, sum, own, above] = ['top', 'sum', 'own', 'above'].map((name) => results[name].data as Float32Array);
      const best = results.ids.data as BigInt64Array;
      for (const [row, id] of ids.entries()) {
        const largest = top[row * count];
        const probability = (logit: number) => Math.exp(logit - largest) / sum[row];
        if (!Number.isFinite(largest) || !Number.isFinite(sum[row])) {
          largestLogit(rows.subarray(row * vocabSize, (row + 1) * vocabSize));
        }
        const places = Array.from({ length: Math.min(limit, count) }, (_, place) => row * count + place);
        readings.push({
          ids: places.map((place) => Number(best[place])),
          probabilities: places.map((place) => probability(top[place])),
          own: id === null ? null : { probability: probability(own[row]), rank: above[row] + 1 },
        });
      }
    }
    return readings;
  }

  async dispose(): Promise<void> {
    const session = await this.session?.catch(() => null);
    this.session = null;
    await session?.release();
  }
}

/** logits [R, V], asked [R, 1] and limit [1] → the largest and their ids, Σ e^(l − largest), and how many are above `asked`. */
const READER = encodeModel({
  irVersion: 8,
  opsets: [['', 17]],
  graph: {
    nodes: [
      { opType: 'TopK', inputs: ['logits', 'limit'], outputs: ['top', 'ids'], attributes: { axis: -1 } },
      { opType: 'ReduceMax', inputs: ['logits'], outputs: ['largest'], attributes: { axes: [-1] } },
      { opType: 'Sub', inputs: ['logits', 'largest'], outputs: ['shifted'] },
      { opType: 'Exp', inputs: ['shifted'], outputs: ['masses'] },
      { opType: 'Constant', inputs: [], outputs: ['last'], attributes: { value_ints: [-1] } },
      { opType: 'ReduceSum', inputs: ['masses', 'last'], outputs: ['sum'] },
      { opType: 'GatherElements', inputs: ['logits', 'asked'], outputs: ['own'], attributes: { axis: 1 } },
      { opType: 'Greater', inputs: ['logits', 'own'], outputs: ['isAbove'] },
      { opType: 'Cast', inputs: ['isAbove'], outputs: ['ones'], attributes: { to: DataType.Float32 } },
      { opType: 'ReduceSum', inputs: ['ones', 'last'], outputs: ['above'] },
    ],
    inputs: [
      { name: 'logits', elementType: DataType.Float32, dims: ['rows', 'vocabulary'] },
      { name: 'asked', elementType: DataType.Int64, dims: ['rows', 1] },
      { name: 'limit', elementType: DataType.Int64, dims: [1] },
    ],
    outputs: OUTPUTS.map((name) => ({ name })),
  },
}).finish();
