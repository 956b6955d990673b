import type { Branch, BranchParams, Continuation, ContinuationParams } from '../../protocol/continuation';
import type { Device } from '../../protocol/device';
import type {
  CandidatesParams,
  EngineStatus,
  HeadMatrixParams,
  HeadOverviewParams,
  LoadProgress,
  OfTrace,
} from '../../protocol/engine';
import { HeadlightError } from '../../protocol/errors';
import type { CombinedHeadsParams, HeadScores, HeadScoresParams, HeadScoring } from '../../protocol/heads';
import type { LoadedModel, ModelReport } from '../../protocol/model';
import type {
  Candidate,
  CandidateList,
  HeadMatrix,
  HeadOverview,
  HeadStatistics,
  HeadStatisticsColumns,
  TokenRange,
  TokenReading,
  Trace,
} from '../../protocol/trace';
import { loadTokenizer } from '../model/load-tokenizer';
import type { Tokenizer } from '../model/tokenizer';
import { Decoder } from '../runtime/decoder';
import type { RunListener } from '../runtime/device-session';
import type { KeptAttention } from '../runtime/kept-attention';
import { type ConfiguredFolder, openModelFolder } from '../runtime/open-folder';
import { listCandidates } from '../sampling/candidates';
import { continueFrom } from '../suggest/continuation';
import { PrefixTree } from '../suggest/prefix-tree';
import { RememberingModel, type Turn } from '../suggest/remembering-model';
import { Suggester } from '../suggest/suggester';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';
import { CombinedAttention } from './combined-attention';
import { HeadProbe } from './head-scores';
import { earlierOccurrences, headStatistics } from './head-statistics';
import { branchPassage, passageOfIds, type TokenizedPassage, tokenizePassage } from './passage';
import { group, poolLargest, poolWeights, windowCells } from './pool';
import { type StagedTrace, Stages } from './stages';
import { tokenScore } from './token-score';

/** The panel shows one trace and may still ask about the one it is replacing. */
const KEPT_TRACES = 2;
/** Without their tensors: one goes back to the passage that others branch from. */
const KEPT_PASSAGES = 8;
/** [T, T] each: the head on the screen, the one before it, and a few neighbours. */
const KEPT_HEADS = 6;

export interface InspectorOptions {
  /** A model folder. */
  readonly directory: string;
  readonly device: Device;
  /** Why it runs there and not where it was asked to; null or left out where it does. */
  readonly deviceReason?: string | null;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Hears of every run on another device than the processor. */
  readonly onRun?: RunListener;
  /** Heeded between the stages of loading. */
  readonly cancellation?: Cancellation;
}

/** The tensors of a trace, whole; for files and comparisons, not for screens. */
export interface TraceTensors {
  readonly length: number;
  /** [T, V] */
  readonly logits: Float32Array;
  /** L + 1 times [T, D]: the embeddings' sum, then the residual stream after each block, before the final norm. */
  readonly hiddenStates: readonly Float32Array[];
  /** Of one layer: [H, T, T]. */
  readonly attention: (layer: number) => Promise<Float32Array>;
}

/** What is kept of a trace that was handed out. */
interface KeptTrace extends StagedTrace {
  readonly trace: Trace;
  readonly attention: KeptAttention | null;
  /** By `layer,head`, newest last. */
  readonly heads: Map<string, Promise<Float32Array>>;
  overview: { readonly resolution: number; readonly overview: HeadOverview } | null;
  combined: CombinedAttention | null;
}

/** A model that passages are run through, and the traces of the newest of them. */
export class Inspector {
  private readonly kept = new Map<number, KeptTrace>();
  /** By trace id, those used last at the end. */
  private readonly passages = new Map<number, TokenizedPassage>();
  /** Counts from the time of opening, so that a restarted engine does not hand out the ids of its predecessor. */
  private nextTraceId = Date.now();
  /** What happens between a text and its next token. */
  readonly stages: Stages;

  private readonly model: RememberingModel;
  private openedSuggester: Suggester | null = null;
  private readonly headProbe: HeadProbe;

  private constructor(
    readonly loaded: LoadedModel,
    private readonly tokenizer: Tokenizer,
    private readonly decoder: Decoder,
    /** The token that begins a text, also where the model is used without it; null where there is none. */
    beginsText: number | null,
    private readonly notes: readonly string[],
  ) {
    // Until suggestions bring their setting the cache of the last text is all that is kept.
    this.model = new RememberingModel(decoder, new PrefixTree(0));
    const { contextLength } = loaded.model;
    this.headProbe = new HeadProbe({ decoder, tokenizer, startToken: beginsText, contextLength });
    this.stages = new Stages(decoder, tokenizer, contextLength, (traceId) => this.find(traceId));
  }

  /** @throws HeadlightError for a folder, graph, tokenizer or device that cannot be used; `cancelled` */
  static async open({
    directory,
    device,
    deviceReason = null,
    onProgress,
    onRun,
    cancellation,
  }: InspectorOptions): Promise<Inspector> {
    const started = performance.now();
    onProgress?.({ stage: 'reading' });
    const folder = await openModelFolder(directory);
    const tokenizer = await loadTokenizer(folder);
    await pauseUnlessCancelled(cancellation);
    const decoder = await Decoder.open({
      graphFile: folder.graphFile,
      config: folder.config,
      device,
      onProgress: (stage) => onProgress?.({ stage }),
      onRun,
    });
    const loaded = {
      model: summarize(folder, decoder.parameters),
      device: { device, reason: deviceReason },
      attentionUnavailable: decoder.attentionUnavailable,
      loadMs: performance.now() - started,
    };
    const beginsText = tokenizer.startToken ?? folder.config.bosTokenId;
    return new Inspector(loaded, tokenizer, decoder, beginsText, folder.notes);
  }

  /** What the analysis of the graph found, layer by layer. */
  get report(): ModelReport {
    const { model, device } = this.loaded;
    const { notes, ...report } = this.decoder.report;
    return { model, device, ...report, notes: [...this.notes, ...notes] };
  }

  /**
   * @param readsSpecial as `Tokenizer.split` has it
   * @throws HeadlightError `text-empty`, `text-too-long`, `cancelled`
   */
  async trace(text: string, cancellation?: Cancellation, readsSpecial = false): Promise<Trace> {
    const started = performance.now();
    const passage = tokenizePassage(text, this.tokenizer, this.loaded.model.contextLength, readsSpecial);
    return this.run(passage, performance.now() - started, cancellation);
  }

  /** As `trace`, for tokens given by their ids. */
  async traceIds(ids: readonly number[], cancellation?: Cancellation): Promise<Trace> {
    return this.run(passageOfIds(ids, this.tokenizer, this.loaded.model.contextLength), 0, cancellation);
  }

  /** Every head small, with its statistics. */
  async headOverview({ traceId, resolution }: HeadOverviewParams, cancellation?: Cancellation): Promise<HeadOverview> {
    const kept = this.find(traceId);
    if (kept.overview?.resolution === resolution) {
      return kept.overview.overview;
    }
    const attention = this.attentionOf(kept);
    const { layers, heads, length } = attention;
    const side = group({ from: 0, to: length }, resolution);
    const cells = side.cells * side.cells;
    const thumbnails = new Uint8Array(layers * heads * cells);
    const statistics = emptyColumns(layers * heads);
    const earlier = earlierOccurrences(kept.ids);
    for (let layer = 0; layer < layers; layer++) {
      await pauseUnlessCancelled(cancellation);
      let index = layer * heads;
      for await (const matrix of attention.eachHead(layer)) {
        const pooled = poolWeights(matrix, length, side, side);
        thumbnails.set(
          pooled.map((weight) => Math.round(255 * Math.sqrt(Math.min(1, weight)))),
          index * cells,
        );
        setColumns(statistics, index, headStatistics(matrix, earlier));
        index++;
      }
    }
    const overview = { layers, heads, side: side.cells, thumbnails, statistics };
    kept.overview = { resolution, overview };
    return overview;
  }

  /**
   * Every head's scores, on the passage and on random tokens. The latter take two short runs of the model, once.
   *
   * @throws HeadlightError `graph-unsupported` where the attention was not found, `argument-invalid` for a context or a
   * vocabulary that is too small; `cancelled`, which keeps what was done
   */
  async headScores({ traceId }: OfTrace, cancellation?: Cancellation): Promise<HeadScores> {
    return (await this.scoreHeads({ traceId, withinMs: null }, cancellation)).scores!;
  }

  /** The same a piece at a time. */
  async scoreHeads({ traceId, withinMs }: HeadScoresParams, cancellation?: Cancellation): Promise<HeadScoring> {
    const kept = this.find(traceId);
    const { layers, heads } = this.attentionOf(kept);
    const onRandomText = await this.headProbe.goOn(withinMs, cancellation);
    const { progress } = this.headProbe;
    if (onRandomText === null) {
      return { scores: null, ...progress };
    }
    const resolution = kept.overview?.resolution ?? 1;
    const { statistics } = await this.headOverview({ traceId, resolution }, cancellation);
    const { previous, induction, duplicate, first } = statistics;
    const scores = { layers, heads, passage: { previous, induction, duplicate, first }, ...onRandomText };
    return { scores, ...progress };
  }

  /** One head over a window of the passage. */
  async headMatrix(params: HeadMatrixParams): Promise<HeadMatrix> {
    const { traceId, layer, head, queries, keys, resolution } = params;
    const kept = this.find(traceId);
    const attention = this.attentionOf(kept);
    within('layer', layer, attention.layers);
    within('head', head, attention.heads);
    checkWindow(params, attention.length);
    const weights = await this.headWeights(kept, attention, layer, head);
    const { rows, columns, shape } = windowCells(queries, keys, resolution);
    return { layer, head, ...shape, weights: poolWeights(weights, attention.length, rows, columns) };
  }

  /** Heads taken together, over a window of the passage. */
  async combinedHeads(params: CombinedHeadsParams, cancellation?: Cancellation): Promise<HeadMatrix> {
    const { traceId, layer, head, queries, keys, resolution, combination, units } = params;
    const kept = this.find(traceId);
    const attention = this.attentionOf(kept);
    within('layer', layer, attention.layers);
    checkWindow(params, attention.length);
    kept.combined ??= new CombinedAttention(attention);
    const weights = await kept.combined.matrix(combination, layer, cancellation);
    const { rows, columns, shape } = windowCells(queries, keys, resolution, units);
    const pool = combination.endsWith('max') ? poolLargest : poolWeights;
    return { layer, head, ...shape, weights: pool(weights, attention.length, rows, columns) };
  }

  /** What may follow the passage, under a sampler's settings. The model is not run again. */
  candidates({ traceId, sampler, limit, seed }: CandidatesParams): CandidateList {
    const { lastLogits } = this.find(traceId);
    const list = listCandidates(lastLogits, sampler, limit, seed);
    const described = (candidate: Omit<Candidate, 'text' | 'bytes'>): Candidate => ({
      ...candidate,
      text: this.tokenizer.textOf(candidate.id),
      bytes: [...this.tokenizer.bytesOf(candidate.id)],
    });
    return {
      ...list,
      vocabSize: lastLogits.length,
      candidates: list.candidates.map(described),
      draw: list.draw && { u: list.draw.u, candidate: described(list.draw.candidate) },
    };
  }

  /** Everything of a trace, by a second run. */
  async tensors(traceId: number): Promise<TraceTensors> {
    const kept = this.find(traceId);
    const { logits, hiddenStates, length } = await this.decoder.forward(kept.ids, { hiddenStates: true });
    if (hiddenStates === null) {
      throw new HeadlightError(
        'graph-unsupported',
        this.decoder.hiddenStatesUnavailable ?? 'The residual stream was not found in this graph.',
      );
    }
    return { length, logits, hiddenStates, attention: (layer) => this.attentionOf(kept).layer(layer) };
  }

  /** What was read to write on behind texts, and what is remembered of it. */
  get reading(): Pick<EngineStatus, 'readTokens' | 'prefixTreeBytes'> {
    return { readTokens: this.model.readTokens, prefixTreeBytes: this.model.tree.byteLength };
  }

  /** Writes on where a text ends, with the same model. */
  get suggester(): Suggester {
    this.openedSuggester ??= new Suggester(this.tokenizer, this.model, this.loaded.model.contextLength);
    return this.openedSuggester;
  }

  /**
   * Writes on behind the first tokens of a passage.
   *
   * @param turn lets each step wait for other work with the model
   * @throws HeadlightError `cancelled`, `argument-invalid`, `trace-unknown`
   */
  continuation(params: ContinuationParams, turn: Turn, cancellation?: Cancellation): Promise<Continuation> {
    const { model, tokenizer } = this;
    const { contextLength } = this.loaded.model;
    const { tokens } = this.passageOf(params.traceId);
    within('token', params.keep - 1, tokens.length);
    const kept = tokens.slice(0, params.keep).map(({ id }) => id);
    const endToken = this.decoder.anatomy.config.eosTokenId;
    return continueFrom(kept, params, { model, tokenizer, contextLength, endToken }, turn, cancellation);
  }

  /** @throws HeadlightError `argument-invalid`, `cancelled`, `trace-unknown` */
  async branch({ traceId, keep, behind }: BranchParams, cancellation?: Cancellation): Promise<Branch> {
    const root = this.passageOf(traceId);
    within('token', keep - 1, root.tokens.length);
    const { contextLength } = this.loaded.model;
    const { passage, from, text } = branchPassage(root, keep, behind, this.tokenizer, contextLength);
    return { trace: await this.run(passage, 0, cancellation), from, text };
  }

  async dispose(): Promise<void> {
    this.kept.clear();
    await this.decoder.dispose();
  }

  private async run(
    passage: TokenizedPassage,
    tokenizeMs: number,
    cancellation: Cancellation | undefined,
  ): Promise<Trace> {
    const { tokens, truncation, wholeText } = passage;
    await pauseUnlessCancelled(cancellation);
    const ids = Uint32Array.from(tokens, (token) => token.id);
    const started = performance.now();
    const { scores, lastLogits, attention, stream, inner } = await this.decoder.read(ids, { hiddenStates: true });
    const forwardMs = performance.now() - started;
    await pauseUnlessCancelled(cancellation);
    const readings = tokens.map((token, index): TokenReading => ({ ...token, ...tokenScore(scores, index) }));
    const meanSurprisal = mean(readings.flatMap(({ surprisal }) => (surprisal === null ? [] : [surprisal])));
    const { model, device, attentionUnavailable } = this.loaded;
    const trace: Trace = {
      id: this.nextTraceId++,
      model,
      device,
      tokens: readings,
      truncation,
      meanSurprisal,
      perplexity: meanSurprisal === null ? null : 2 ** meanSurprisal,
      attention:
        attention === null
          ? { available: false, reason: attentionUnavailable ?? 'This graph has no attention that could be found.' }
          : { available: true, layers: attention.layers, heads: attention.heads },
      timing: { tokenizeMs, forwardMs },
    };
    const kept: KeptTrace = {
      trace,
      tokens: readings,
      ids,
      wholeText,
      stream,
      inner,
      lastLogits,
      attention,
      heads: new Map(),
      overview: null,
      combined: null,
      weights: (layer, head) => this.headWeights(kept, this.attentionOf(kept), layer, head),
    };
    this.keep(kept, passage);
    return trace;
  }

  private keep(kept: KeptTrace, passage: TokenizedPassage): void {
    this.kept.set(kept.trace.id, kept);
    dropOldest(this.kept, KEPT_TRACES);
    this.passages.set(kept.trace.id, passage);
    dropOldest(this.passages, KEPT_PASSAGES);
  }

  private find(traceId: number): KeptTrace {
    return known(this.kept.get(traceId));
  }

  private passageOf(traceId: number): TokenizedPassage {
    const passage = known(this.passages.get(traceId));
    this.passages.delete(traceId);
    this.passages.set(traceId, passage);
    return passage;
  }

  private attentionOf({ attention, trace }: KeptTrace): KeptAttention {
    if (attention === null) {
      throw new HeadlightError(
        'graph-unsupported',
        trace.attention.available ? 'This graph has no attention that could be found.' : trace.attention.reason,
      );
    }
    return attention;
  }

  /** [T, T] */
  private headWeights(
    { heads }: KeptTrace,
    attention: KeptAttention,
    layer: number,
    head: number,
  ): Promise<Float32Array> {
    const key = `${layer},${head}`;
    const weights = heads.get(key) ?? attention.head(layer, head);
    heads.delete(key);
    heads.set(key, weights);
    weights.catch(() => heads.delete(key));
    dropOldest(heads, KEPT_HEADS);
    return weights;
  }
}

function summarize({ name, directory, config }: ConfiguredFolder, parameters: number): LoadedModel['model'] {
  const { architecture, layers, heads, kvHeads, headDim, hiddenSize, vocabSize, contextLength } = config;
  return {
    name,
    directory,
    architecture,
    layers,
    heads,
    kvHeads,
    headDim,
    hiddenSize,
    vocabSize,
    contextLength,
    parameters,
  };
}

function emptyColumns(length: number): HeadStatisticsColumns {
  const column = () => new Float32Array(length);
  return { previous: column(), first: column(), induction: column(), duplicate: column(), entropy: column() };
}

function setColumns(columns: HeadStatisticsColumns, index: number, statistics: HeadStatistics): void {
  for (const name of Object.keys(columns) as (keyof HeadStatistics)[]) {
    columns[name][index] = statistics[name];
  }
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function known<T>(kept: T | undefined): T {
  if (kept === undefined) {
    throw new HeadlightError('trace-unknown', 'This passage is no longer in memory; inspect it again.');
  }
  return kept;
}

/** Maps iterate in the order of insertion. */
function dropOldest<K>(map: Map<K, unknown>, keep: number): void {
  for (const key of [...map.keys()].slice(0, Math.max(0, map.size - keep))) {
    map.delete(key);
  }
}

/** @throws HeadlightError `argument-invalid` for a window that is not in a passage of that length, or is empty */
function checkWindow({ queries, keys }: { queries: TokenRange; keys: TokenRange }, length: number): void {
  for (const range of [queries, keys]) {
    within('token', range.from, length);
    within('token', range.to - 1, length);
    if (range.to <= range.from) {
      throw new HeadlightError('argument-invalid', 'The window of the attention matrix has no tokens in it.');
    }
  }
}

function within(what: string, index: number, count: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new HeadlightError('argument-invalid', `There is no ${what} ${index}; the trace has ${count}.`);
  }
}
