import type { InferenceSession } from 'onnxruntime-node';
import { encodeModel } from '../onnx/build';
import { DataType } from '../onnx/data-type';
import { LOGITS_INPUT, SCORES_OUTPUT, scoringGraph } from '../onnx/scoring';
import { scoresOf, targetsFeed } from './prediction-scores';
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

const TOP = ['top', 'ids'] as const;

/** Reads rows of logits on all cores: a vocabulary takes an exponential for each of its tokens. */
export class LogitReader {
  private session: Promise<InferenceSession> | null = null;

  constructor(
    private readonly runtime: Runtime,
    private readonly vocabSize: number,
  ) {}

  /**
   * @param logits [R, V]
   * @param asked R token ids, or null, whose probability and rank are wanted
   * @throws HeadlightError `model-invalid` where a row is no distribution
   */
  async read(logits: Float32Array, asked: readonly (number | null)[], limit: number): Promise<readonly LogitReading[]> {
    const { runtime, vocabSize } = this;
    const { Tensor } = runtime;
    this.session ??= openSmallSession(readingModel(vocabSize), 'the reader of logits');
    const session = await this.session;
    const count = Math.min(Math.max(1, limit), vocabSize);
    const targets = asked.map((id) => id ?? 0);
    const results = await session.run(
      {
        [LOGITS_INPUT]: new Tensor('float32', logits, [asked.length, vocabSize]),
        ...targetsFeed(runtime, targets),
        limit: new Tensor('int64', BigInt64Array.of(BigInt(count)), [1]),
      },
      [SCORES_OUTPUT, ...TOP],
    );
    const top = results.top.data as Float32Array;
    const best = results.ids.data as BigInt64Array;
    return scoresOf(results, 0).map(({ largestProbability, logProbability, rank }, row) => {
      const places = Array.from({ length: Math.min(limit, count) }, (_, place) => row * count + place);
      return {
        ids: places.map((place) => Number(best[place])),
        probabilities: places.map((place) => Math.exp(top[place] - top[row * count]) * largestProbability),
        own: asked[row] === null ? null : { probability: Math.exp(logProbability), rank },
      };
    });
  }

  async dispose(): Promise<void> {
    const session = await this.session?.catch(() => null);
    this.session = null;
    await session?.release();
  }
}

/** logits [R, V], a target for each row, and limit [1] → their scores, and the largest with their ids. */
function readingModel(vocabSize: number): Uint8Array {
  const { nodes, inputs, outputs, opset } = scoringGraph(vocabSize);
  const top = { opType: 'TopK', inputs: [LOGITS_INPUT, 'limit'], outputs: TOP, attributes: { axis: -1 } };
  return encodeModel({
    irVersion: 8,
    opsets: [['', opset]],
    graph: {
      nodes: [top, ...nodes],
      inputs: [...inputs, { name: 'limit', elementType: DataType.Int64, dims: [1] }],
      outputs: [...outputs, ...TOP.map((name) => ({ name }))],
    },
  }).finish();
}
