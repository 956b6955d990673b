import type { OfTrace } from '../../protocol/engine';
import { HeadlightError } from '../../protocol/errors';
import type {
  ActiveNeurons,
  Attribution,
  AttributionParams,
  EmbeddingParams,
  EmbeddingView,
  HeadStepMatrix,
  HeadStepParams,
  LensParams,
  LogitLens,
  NearestParams,
  NearestTokens,
  NeuronsParams,
  NormsParams,
  NormsView,
  SamplerSteps,
  SamplerStepsParams,
  StreamNorms,
  TokenParams,
  Vocabularies,
  WordMerges,
  WorkedRow,
  WorkedRowParams,
} from '../../protocol/stages';
import type { TokenReading } from '../../protocol/trace';
import type { TrainingParams, TrainingWindow } from '../../protocol/training';
import type { Pieces } from '../idle-work';
import type { Tokenizer } from '../model/tokenizer';
import type { KeptPass } from '../runtime/anatomy';
import type { Decoder } from '../runtime/decoder';
import { sampleStepByStep } from '../sampling/sampler-steps';
import { activeNeurons } from './active-neurons';
import { headStep, workedRow } from './attention-steps';
import { LogitAttribution } from './attribution';
import type { Cancellation } from './cancellation';
import { embeddingOf, embeddingView } from './embedding-view';
import { Lens } from './logit-lens';
import { Neighbours } from './nearest-tokens';
import { normsView } from './norms-view';
import { streamNorms } from './stream-norms';
import { trainingWindow } from './training-window';
import { type PassageIds, vocabularies, wordMerges } from './word-merges';

/** Numbers in the weights of a model whose stages are made ready before they are asked for. */
const MOST_PREPARED = 200e6;
/** The last positions that the lens reads ahead, and how many at a time, so that nobody waits long behind them. */
const LENS_PREPARED = 12;
const LENS_PREPARED_AT_ONCE = 4;

/** What the stages need of a trace that is kept. */
export interface StagedTrace extends KeptPass {
  /** What the run made of each token. */
  readonly tokens: readonly TokenReading[];
  /** [N]: all tokens of the text, also those beyond the context. */
  readonly wholeText: Uint32Array;
  /** [V], what the model predicts after the last token. */
  readonly lastLogits: Float32Array;
  /** [T, T] after the softmax. */
  readonly weights: (layer: number, head: number) => Promise<Float32Array>;
}

/** Answers questions about the stages between a text and its next token. */
export class Stages {
  private readonly neighbours: Neighbours;
  private readonly logitLens: Lens;
  private readonly logitAttribution: LogitAttribution;
  private partsOpened = false;

  constructor(
    private readonly decoder: Decoder,
    private readonly tokenizer: Tokenizer,
    private readonly contextLength: number,
    private readonly find: (traceId: number) => StagedTrace,
  ) {
    this.neighbours = new Neighbours(decoder.anatomy);
    this.logitLens = new Lens(decoder.anatomy, tokenizer);
    this.logitAttribution = new LogitAttribution(decoder.anatomy, tokenizer);
  }

  /**
   * Asks for what the stages are made of, a part at a time, so that a stage does not wait for it when it is opened. For
   * models of a size whose parts may be held twice. Parts of the graph that no passage has needed yet are opened once.
   */
  *preparation(traceId: number): Pieces {
    const { anatomy, parameters } = this.decoder;
    if (parameters > MOST_PREPARED) {
      return;
    }
    const trace = this.find(traceId);
    const last = trace.ids.length - 1;
    const layers = Array.from({ length: trace.stream.length - 1 }, (_, layer) => layer);
    for (const layer of layers) {
      yield () => anatomy.additions(trace, layer);
    }
    yield () => this.embedding({ traceId, token: last, layer: 0, head: 0 });
    if (!this.partsOpened) {
      for (const layer of layers) {
        yield () => anatomy.headAdditions(trace, layer, last);
        yield () => anatomy.headScores(trace, layer, 0);
        yield () => anatomy.neurons(trace, layer);
      }
      this.partsOpened = true;
    }
    // What the panel shows of them where no token is pinned.
    for (let to = last + 1, from = to; from > Math.max(0, last + 1 - LENS_PREPARED); to = from) {
      from = Math.max(0, to - LENS_PREPARED_AT_ONCE);
      const positions = { from, to };
      yield () => this.logitLens.of(trace, { traceId, positions, limit: 1 });
    }
    yield () => this.attribution({ traceId, position: last, target: 0, against: 0 });
    yield () => this.nearestTokens({ traceId, token: last, limit: 1 });
    if (anatomy.plan.embedding !== null) {
      yield* this.neighbours.preparation(trace, anatomy.plan.embedding);
    }
  }

  embedding(params: EmbeddingParams): Promise<EmbeddingView> {
    return embeddingView(this.decoder.anatomy, this.find(params.traceId), params);
  }

  /** The tokens whose rows of the embedding matrix are nearest to that of a token of the passage. */
  async nearestTokens({ traceId, token, limit }: NearestParams, cancellation?: Cancellation): Promise<NearestTokens> {
    const trace = this.find(traceId);
    const embedding = embeddingOf(this.decoder.anatomy, trace, token);
    const near = await this.neighbours.of(trace, embedding, trace.ids[token], limit, cancellation);
    const nearest = near.map(({ id, cosine }) => ({
      ...{ id, text: this.tokenizer.textOf(id), bytes: [...this.tokenizer.bytesOf(id)] },
      cosine,
    }));
    return { token, nearest };
  }

  /** One step of a head's attention over a window. */
  async headStep(params: HeadStepParams): Promise<HeadStepMatrix> {
    const trace = this.find(params.traceId);
    for (const { from, to } of [params.queries, params.keys]) {
      if (!(from >= 0 && from < to && to <= trace.ids.length)) {
        throw new HeadlightError('argument-invalid', 'The window of the attention matrix is not within the passage.');
      }
    }
    const weights = await trace.weights(params.layer, params.head);
    return headStep(this.decoder.anatomy, trace, weights, params);
  }

  /** How one query reads, in numbers. */
  async workedRow(params: WorkedRowParams): Promise<WorkedRow> {
    const trace = this.find(params.traceId);
    return workedRow(this.decoder.anatomy, trace, await trace.weights(params.layer, params.head), params);
  }

  lens(params: LensParams, cancellation?: Cancellation): Promise<LogitLens> {
    return this.logitLens.of(this.find(params.traceId), params, cancellation);
  }

  attribution(params: AttributionParams, cancellation?: Cancellation): Promise<Attribution> {
    return this.logitAttribution.of(this.find(params.traceId), params, cancellation);
  }

  streamNorms({ traceId }: OfTrace, cancellation?: Cancellation): Promise<StreamNorms> {
    return streamNorms(this.decoder.anatomy, this.find(traceId), cancellation);
  }

  norms(params: NormsParams): Promise<NormsView> {
    return normsView(this.decoder.anatomy, this.find(params.traceId), params);
  }

  training({ traceId, stride, window }: TrainingParams, cancellation?: Cancellation): Promise<TrainingWindow> {
    const { wholeText, tokens } = this.find(traceId);
    // A text that fits the context was scored by the trace's own run.
    const known =
      wholeText.length === tokens.length ? tokens.map(({ surprisal }) => (surprisal ?? 0) * Math.LN2) : null;
    const { decoder, tokenizer, contextLength } = this;
    const text = { decoder, tokenizer, ids: wholeText, known, contextLength };
    return trainingWindow(text, stride, window, cancellation);
  }

  wordMerges({ traceId, token }: TokenParams): Promise<WordMerges> {
    return wordMerges(this.tokenizer, passageIds(this.find(traceId)), token);
  }

  vocabularies({ traceId }: OfTrace, cancellation?: Cancellation): Promise<Vocabularies> {
    return vocabularies(this.tokenizer, passageIds(this.find(traceId)), cancellation);
  }

  neurons(params: NeuronsParams): Promise<ActiveNeurons> {
    return activeNeurons(this.decoder.anatomy, this.find(params.traceId), params);
  }

  samplerSteps({ traceId, sampler, limit }: SamplerStepsParams): SamplerSteps {
    const { lastLogits } = this.find(traceId);
    const steps = sampleStepByStep(lastLogits, sampler, limit);
    const rows = steps.rows.map((row) => ({
      ...row,
      text: this.tokenizer.textOf(row.id),
      bytes: [...this.tokenizer.bytesOf(row.id)],
    }));
    return { ...steps, rows, vocabSize: lastLogits.length };
  }
}

function passageIds({ ids, tokens }: StagedTrace): PassageIds {
  return { ids, added: tokens.filter(({ added }) => added).length };
}
