import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import { encodeModel } from '../onnx/build';
import {
  LAST_LOGITS_OUTPUT,
  LOGITS_INPUT,
  SCORES_OF_ROW,
  SCORES_OUTPUT,
  scoringGraph,
  TARGETS_INPUT,
} from '../onnx/scoring';
import type { Feeds } from './feeds';
import { openSmallSession, type Runtime } from './providers';

/** What one prediction, over the whole vocabulary, says. */
export interface PredictionScore {
  /** ln p of the target, the token that the prediction is held against. */
  readonly logProbability: number;
  /** The target's, from 1; ties share the better one. */
  readonly rank: number;
  /** In bits. */
  readonly entropy: number;
  /** Of the most probable token. */
  readonly largestProbability: number;
}

/** The scores of R predictions, and the last of these. */
export interface ScoredPredictions {
  /** [R] */
  readonly scores: readonly PredictionScore[];
  /** [V] */
  readonly lastLogits: Float32Array;
}

/** The outputs that `scoredBy` reads. */
export const SCORING_OUTPUTS = [SCORES_OUTPUT, LAST_LOGITS_OUTPUT] as const;

/** What a graph with scoring is given. */
export function targetsFeed({ Tensor }: Runtime, targets: ArrayLike<number>): Feeds {
  return { [TARGETS_INPUT]: new Tensor('int64', BigInt64Array.from(Array.from(targets), BigInt), [targets.length]) };
}

/** What a graph with scoring gave; `first` and errors as `scoresOf` has them. */
export function scoredBy(results: Readonly<Record<string, Tensor>>, first: number): ScoredPredictions {
  return { scores: scoresOf(results, first), lastLogits: results[LAST_LOGITS_OUTPUT].data as Float32Array };
}

/**
 * @param first position of the first prediction, for the sentence of a failure
 * @throws HeadlightError `model-invalid` where a row of logits is no distribution
 */
export function scoresOf(results: Readonly<Record<string, Tensor>>, first: number): readonly PredictionScore[] {
  const numbers = results[SCORES_OUTPUT].data as Float32Array;
  return Array.from({ length: numbers.length / SCORES_OF_ROW }, (_, row): PredictionScore => {
    const [total, weighted, own, above] = numbers.subarray(row * SCORES_OF_ROW, (row + 1) * SCORES_OF_ROW);
    // The largest logit alone adds 1.
    if (!(total >= 1 && Number.isFinite(total + weighted))) {
      throw new HeadlightError(
        'model-invalid',
        `The model's logits at position ${first + row} are not finite numbers; its weights or its precision do not suit this device.`,
      );
    }
    // H = log Σe^x − Σ x·e^x / Σe^x, which rounding may take below 0.
    const entropy = Math.max(0, (Math.log(total) - weighted / total) / Math.LN2);
    return { logProbability: own - Math.log(total), rank: above + 1, entropy, largestProbability: 1 / total };
  });
}

/** Scores logits that a graph without scoring has handed out. */
export class LogitScorer {
  private session: Promise<InferenceSession> | null = null;

  constructor(
    private readonly runtime: Runtime,
    private readonly vocabSize: number,
  ) {}

  /**
   * @param logits [R, V]
   * @param targets R token ids
   * @param first as in `scoredBy`
   * @throws HeadlightError as `scoredBy`
   */
  async score(logits: Float32Array, targets: ArrayLike<number>, first: number): Promise<ScoredPredictions> {
    this.session ??= openSmallSession(scoringModel(this.vocabSize), 'the scoring of logits');
    const session = await this.session;
    const given = new this.runtime.Tensor('float32', logits, [targets.length, this.vocabSize]);
    const feeds = { [LOGITS_INPUT]: given, ...targetsFeed(this.runtime, targets) };
    return scoredBy(await session.run(feeds, [...SCORING_OUTPUTS]), first);
  }

  async dispose(): Promise<void> {
    const session = await this.session?.catch(() => null);
    this.session = null;
    await session?.release();
  }
}

/** logits [R, V] and a target for each row → their scores, and the last row. */
function scoringModel(vocabSize: number): Uint8Array {
  const { opset, ...graph } = scoringGraph(vocabSize);
  return encodeModel({ irVersion: 8, opsets: [['', opset]], graph }).finish();
}
