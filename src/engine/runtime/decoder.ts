import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Device } from '../../protocol/device';
import type { LoadProgress } from '../../protocol/engine';
import { HeadlightError } from '../../protocol/errors';
import type { ModelReport } from '../../protocol/model';
import type { TokenRange } from '../../protocol/trace';
import type { DecoderConfig } from '../model/config';
import { analyzeGraph, type GraphAnalysis } from '../onnx/analysis';
import type { AttentionSite } from '../onnx/attention';
import { type CacheSite, findCacheSites, findRowSelection } from '../onnx/cache-sites';
import { readModel } from '../onnx/graph';
import { HANDED_ROWS_INPUT, type InstrumentedModel, instrument, ROWS_INPUT } from '../onnx/instrument';
import { type LayerFindings, reportLayers } from '../onnx/layer-report';
import { ModelFile } from '../onnx/model-file';
import { countParameters, type Parameters, weightsOf } from '../onnx/parameters';
import type { ResidualStream } from '../onnx/residual-stream';
import { SCORING_OPSET, scoringOf } from '../onnx/scoring';
import type { Signature } from '../onnx/signature';
import { Anatomy, type AnatomyPlan, innerTensors, planAnatomy } from './anatomy';
import { type AttentionPlan, planAttention, weightsModel } from './attention-plan';
import { createAttentionReplay, Preparations, shareEqual } from './attention-replay';
import { type ContinuingBranch, chooseBranch } from './branch-choice';
import { Decoding } from './decoding';
import { DeviceSession, type RunListener } from './device-session';
import { buildFeeds, type Feeds, rowsFeed } from './feeds';
import { type KeptAttention, keptWeights } from './kept-attention';
import { LogitScorer, SCORING_OUTPUTS, type ScoredPredictions, scoredBy, targetsFeed } from './prediction-scores';
import { loadRuntime, type Runtime } from './providers';
import { floatData } from './tensors';

export interface DecoderOptions {
  /** Path of the `.onnx` file. */
  readonly graphFile: string;
  readonly config: DecoderConfig;
  readonly device: Device;
  /** Where the runtime writes what each operator of a run took, see `openSession`. */
  readonly profile?: string | undefined;
  readonly onProgress?: (stage: LoadProgress['stage']) => void;
  /** Hears of every run on another device than the processor. */
  readonly onRun?: RunListener | undefined;
}

export interface ForwardOptions {
  /** Hand out the residual stream too. */
  readonly hiddenStates?: boolean;
  /** Compute attention from queries and keys whatever the passage's length. */
  readonly replaysAttention?: boolean;
}

/** One run of the model. */
export interface ForwardPass {
  /** T, in tokens. */
  readonly length: number;
  /** [T, V]; row t is the prediction of token t + 1. */
  readonly logits: Float32Array;
  /**
   * L + 1 times [T, D]: the sum of the embeddings, then the residual stream after each block, the last before the final
   * norm. Null where it was not asked for, or not found in the graph.
   */
  readonly hiddenStates: readonly Float32Array[] | null;
  /** The same as the graph gave it, [1, T, D] each, for the stages; empty where there is none. */
  readonly stream: readonly Tensor[];
  /** Of a short passage what happened inside the layers, for the stages too; see `KeptPass`. */
  readonly inner: ReadonlyMap<string, Tensor>;
  /** Null where the model's attention was not found. Keeps queries and keys, and not the logits. */
  readonly attention: KeptAttention | null;
}

/** One run of the model whose predictions are read and not handed out: T times V numbers take long to get anywhere. */
export interface ReadPass extends Omit<ForwardPass, 'logits' | 'hiddenStates'>, ScoredPredictions {}

/** Outputs with those rows of tensors from inside the layers that are wanted: all or none. */
interface HandedOutputs {
  /** By the tensor, in the order in which the graph computes them; empty where it keeps them to itself. */
  readonly rowsOf: ReadonlyMap<string, string>;
  /** By layer: the attention weights. */
  readonly weights: readonly string[];
  /** What the stages ask for of every layer, by the tensor. */
  readonly inner: ReadonlyMap<string, string>;
}

const NOT_HANDED: HandedOutputs = { rowsOf: new Map(), weights: [], inner: new Map() };

interface Parts {
  readonly runtime: Runtime;
  readonly graphFile: string;
  readonly config: DecoderConfig;
  readonly signature: Signature;
  readonly parameters: Parameters;
  readonly producer: string;
  readonly opsets: ReadonlyMap<string, number>;
  readonly notes: readonly string[];
  readonly layerReports: readonly LayerFindings[];
  readonly session: DeviceSession;
  readonly onRun: RunListener | undefined;
  readonly stream: ResidualStream;
  readonly attention: AttentionPlan | { readonly unavailable: string };
  /** Null where the graph takes no past keys and values. */
  readonly cacheSites: readonly CacheSite[] | null;
  /** What goes on behind a cache in a merged decoder whose other branch starts a text. */
  readonly continuing: ContinuingBranch | null;
  /** Whether the graph takes the rows that logits are wanted for. */
  readonly hasRows: boolean;
  /** Whether the graph scores its predictions. */
  readonly hasScoring: boolean;
  readonly handed: HandedOutputs;
  /** The graph with those layers' weights as outputs that cannot be replayed; null where there are none. */
  readonly rerunModel: InstrumentedModel | null;
  readonly anatomy: Anatomy;
}

/** What is known of a model beside its configuration. */
export type DecoderReport = Omit<ModelReport, 'model' | 'device'>;

/**
 * Up to so much a run hands out all attention weights itself, which is faster than to compute them again. Beyond, queries and
 * keys take less.
 */
const MOST_WEIGHT_BYTES = 48 * 1024 * 1024;
/** And up to so much of what the stages ask for, which otherwise is computed layer by layer when it is asked for. */
const MOST_INNER_BYTES = 64 * 1024 * 1024;

/** A passage to try a model with at load. */
const PROBE_LENGTH = 10;

/** A loaded model. */
export class Decoder {
  private readonly preparations = new Preparations();
  private readonly scorer: LogitScorer;
  private rerunSession: Promise<DeviceSession> | null = null;
  private openedDecoding: Promise<Decoding> | null = null;
  private continuingSession: Promise<DeviceSession | null> | null = null;

  private constructor(private readonly parts: Parts) {
    this.scorer = new LogitScorer(parts.runtime, parts.config.vocabSize);
  }

  /**
   * Reads the graph, finds its attention, starts it and tries it on a short passage.
   *
   * @throws HeadlightError `model-missing`, `model-invalid`, `graph-unsupported`, `tokenizer-mismatch` where the logits
   * are of another vocabulary than the configuration's, `device-unavailable`, `runtime-unavailable`
   */
  static async open({ graphFile, config, device, profile, onProgress, onRun }: DecoderOptions): Promise<Decoder> {
    onProgress?.('reading');
    const file = ModelFile.open(graphFile);
    try {
      const read = readModel(file);
      onProgress?.('analysing');
      const runtime = await loadRuntime();
      const { model, continuing, note: branch } = await chooseBranch(runtime, read, config, probeIds(config));
      const analysis = analyzeGraph(model, config.layers);
      onProgress?.('starting');
      const { signature, stream } = analysis;
      const attention = await planUnlessUnavailable(runtime, analysis, config);
      const plan = 'unavailable' in attention ? null : attention;
      if (plan?.looksAhead) {
        await releaseAll(plan.sessions);
        throw new HeadlightError(
          'graph-unsupported',
          `${graphFile} is an encoder: its tokens attend to later ones, so that its logits do not predict the next; choose a decoder.`,
        );
      }
      const rerun = plan?.layers.flatMap(({ kind, site }) => (kind === 'rerun' ? [site] : [])) ?? [];
      const cacheSites = findCacheSites(analysis.topology, signature);
      const fresh = cacheSites?.flatMap((site) => site.fresh ?? []) ?? [];
      const anatomyPlan = planAnatomy(analysis, plan !== null || analysis.parts.operators.size === 0);
      const expose = [...(plan?.fetch ?? []), ...(stream.found ? stream.tensors : []), ...fresh];
      const select = findRowSelection(analysis.topology, analysis.parts, stream);
      const handed = device === 'cpu' && plan !== null ? handedOutputsOf(analysis, plan, anatomyPlan) : NOT_HANDED;
      // Other devices would do it on the processor as well, and the logits come from there.
      const opset = model.opsets.get('') ?? 0;
      const scores = device === 'cpu' && opset >= SCORING_OPSET;
      const scoring = scores ? scoringOf(signature.logits, config.vocabSize, opset) : null;
      const replace = handingOut(analysis, expose);
      const instrumented = instrument(model, { expose, select, rowsOf: handed.rowsOf, scoring, replace });
      const session = await DeviceSession.open(instrumented, {
        device,
        name: graphFile,
        nodes: model.graph.nodes,
        profile,
        onRun,
      }).catch(async (error) => {
        await releaseAll(plan?.sessions ?? []);
        throw error;
      });
      const decoder = new Decoder({
        runtime,
        graphFile,
        config,
        signature,
        parameters: countParameters(weightsOf(model.graph)),
        producer: model.producer,
        opsets: model.opsets,
        notes: branch === null ? [] : [branch],
        layerReports: reportLayers(analysis),
        session,
        onRun,
        stream,
        attention,
        cacheSites,
        continuing,
        hasRows: select !== null,
        hasScoring: scoring !== null,
        handed,
        rerunModel: rerun.length === 0 ? null : weightsModel(analysis.parts.topology, rerun, []),
        anatomy: new Anatomy({
          ...{ runtime, graphFile, open: analysis.parts.open, config, signature },
          plan: anatomyPlan,
        }),
      });
      await decoder.forward(probeIds(config)).catch(async (error) => {
        await decoder.dispose();
        throw error;
      });
      return decoder;
    } finally {
      file.close();
    }
  }

  /** Where it runs. */
  get device(): Device {
    return this.parts.session.device;
  }

  /** Numbers in the model's weights. */
  get parameters(): number {
    return this.parts.parameters.count;
  }

  /** What the analysis of the graph found. */
  get report(): DecoderReport {
    const { graphFile, parameters, producer, opsets, notes, signature, layerReports, attention } = this.parts;
    const plans = 'unavailable' in attention ? [] : attention.layers;
    const keyHeads = 'unavailable' in attention ? [] : attention.keyHeads;
    const ways = { replay: 'from queries and keys', rerun: 'by another run' } as const;
    return {
      ...{ graphFile, producer, notes, precision: parameters.precision, logits: signature.logits },
      opsets: [...opsets].map(([domain, version]) => `${domain || 'ai.onnx'} ${version}`),
      inputs: signature.inputs.map(({ role, info }) => ({ name: info.name, role })),
      attentionUnavailable: this.attentionUnavailable,
      hiddenStatesUnavailable: this.hiddenStatesUnavailable,
      layers: layerReports.map((layer, index) => ({
        ...layer,
        heads: plans[index] === undefined ? null : this.parts.config.heads,
        kvHeads: keyHeads[index] ?? null,
        recomputed: plans[index] === undefined ? null : ways[plans[index].kind],
      })),
    };
  }

  /** Why no attention can be shown, as a sentence; null where every layer's was found. */
  get attentionUnavailable(): string | null {
    const { attention } = this.parts;
    return 'unavailable' in attention ? attention.unavailable : null;
  }

  /** What happens inside the layers. */
  get anatomy(): Anatomy {
    return this.parts.anatomy;
  }

  /** Layers whose attention takes another run of the model each time it is looked at, because no replay gives it. */
  get rerunLayers(): readonly number[] {
    const { attention } = this.parts;
    return 'unavailable' in attention
      ? []
      : attention.layers.flatMap(({ kind }, layer) => (kind === 'rerun' ? [layer] : []));
  }

  /** Why there are no hidden states, as a sentence; null where the residual stream was found. */
  get hiddenStatesUnavailable(): string | null {
    const { stream } = this.parts;
    return stream.found ? null : stream.why;
  }

  /**
   * Runs the model over a passage.
   *
   * @param ids [T], each below the vocabulary's size
   * @throws HeadlightError `text-empty`, `text-too-long` beyond the model's context, `argument-invalid`
   */
  async forward(
    ids: Uint32Array,
    { hiddenStates = false, replaysAttention = false }: ForwardOptions = {},
  ): Promise<ForwardPass> {
    const { signature } = this.parts;
    const run = await this.runPassage(ids, [signature.logits], [], { hiddenStates, replaysAttention });
    const { results, stream, ...pass } = run;
    return {
      ...pass,
      logits: logitsOf(results[signature.logits], ids.length, this.parts),
      hiddenStates: stream.length === 0 ? null : stream.map((tensor) => floatData(tensor)),
      stream,
    };
  }

  /**
   * Runs the model over a passage and scores its predictions, each but the last against the token that follows.
   *
   * @throws HeadlightError as `forward`; `model-invalid` where the logits of a position are no distribution
   */
  async read(ids: Uint32Array, options: ForwardOptions = {}): Promise<ReadPass> {
    const { signature, hasScoring } = this.parts;
    const targets = followingTokens(ids, { from: 0, to: ids.length });
    if (hasScoring) {
      const { results, ...pass } = await this.runPassage(ids, SCORING_OUTPUTS, targets, options);
      return { ...pass, ...scoredBy(results, 0) };
    }
    const { results, ...pass } = await this.runPassage(ids, [signature.logits], [], options);
    const logits = logitsOf(results[signature.logits], ids.length, this.parts);
    return { ...pass, ...(await this.scorer.score(logits, targets, 0)) };
  }

  /**
   * What the model predicts at some places of a passage, against the tokens that follow there, and nothing else.
   *
   * @param ids as in `forward`
   * @param rows places in it
   * @throws HeadlightError as `read`
   */
  async score(ids: Uint32Array, rows: TokenRange): Promise<ScoredPredictions> {
    const { runtime, config, signature, session, hasRows, hasScoring } = this.parts;
    checkIds(ids, config);
    const selected = hasRows ? rows : { from: 0, to: ids.length };
    const targets = followingTokens(ids, hasScoring ? selected : rows);
    const feeds = {
      ...buildFeeds(runtime, signature, config, ids),
      ...this.ownFeeds(selected, 0, hasScoring ? targets : []),
    };
    const outputs = hasScoring ? SCORING_OUTPUTS : [signature.logits];
    const results = await session.run(feeds, outputs, ids.length);
    const [from, to] = [rows.from - selected.from, rows.to - selected.from];
    if (hasScoring) {
      const scored = scoredBy(results, selected.from);
      return { ...scored, scores: scored.scores.slice(from, to) };
    }
    const logits = logitsOf(results[signature.logits], selected.to - selected.from, this.parts);
    const { vocabSize } = config;
    return this.scorer.score(logits.subarray(from * vocabSize, to * vocabSize), targets, rows.from);
  }

  private async runPassage(
    ids: Uint32Array,
    outputs: readonly string[],
    targets: readonly number[],
    { hiddenStates = false, replaysAttention = false }: ForwardOptions,
  ): Promise<
    Pick<ForwardPass, 'length' | 'stream' | 'inner' | 'attention'> & { results: Readonly<Record<string, Tensor>> }
  > {
    const { runtime, config, signature, session, stream, attention, handed } = this.parts;
    checkIds(ids, config);
    const length = ids.length;
    const isShort = !replaysAttention && isHandedOut(this.parts, length);
    const passage = buildFeeds(runtime, signature, config, ids);
    const feeds = { ...passage, ...this.ownFeeds({ from: 0, to: length }, isShort ? length : 0, targets) };
    const streamTensors = hiddenStates && stream.found ? stream.tensors : [];
    const inner = hiddenStates && isShort ? [...handed.inner] : [];
    const kept = 'unavailable' in attention ? [] : isShort ? handed.weights : attention.fetch;
    const fetch = [...outputs, ...kept, ...streamTensors, ...inner.map(([, output]) => output)];
    const results = await session.run(feeds, fetch, length);
    return {
      ...{ length, results },
      stream: streamTensors.map((name) => results[name]),
      inner: new Map(inner.map(([tensor, output]) => [tensor, results[output]])),
      attention:
        'unavailable' in attention
          ? null
          : isShort
            ? keptWeights(
                handed.weights.map((name) => results[name]),
                config.heads,
                length,
              )
            : this.replay(attention, ids, feeds, results),
    };
  }

  /**
   * What the inputs are given that Headlight has added to the graph.
   *
   * @param logits rows that these are wanted for
   * @param rows so many are wanted of the tensors from inside the layers
   * @param targets of each of those logits the token that it is scored against; none where nothing is scored
   */
  private ownFeeds(logits: TokenRange, rows: number, targets: readonly number[]): Feeds {
    const { runtime, hasRows, hasScoring, handed } = this.parts;
    return {
      ...(hasRows ? rowsFeed(runtime, ROWS_INPUT, logits.from, logits.to) : {}),
      ...(handed.rowsOf.size > 0 ? rowsFeed(runtime, HANDED_ROWS_INPUT, 0, rows) : {}),
      ...(hasScoring ? targetsFeed(runtime, targets) : {}),
    };
  }

  /** The model token by token, with the keys and values of those before kept. There is one, for one caller at a time. */
  decoding(): Promise<Decoding> {
    this.openedDecoding ??= this.openDecoding();
    return this.openedDecoding;
  }

  private async openDecoding(): Promise<Decoding> {
    const { runtime, session, signature, config, cacheSites: sites, hasRows, continuing } = this.parts;
    const { [ROWS_INPUT]: _, ...besides } = this.ownFeeds({ from: 0, to: 0 }, 0, []);
    const graph = { session, signature, sites, hasRows, besides };
    // A branch that the runtime does not take is one more that cannot go on.
    this.continuingSession = continuing === null ? null : this.openContinuing(continuing).catch(() => null);
    const other = await this.continuingSession;
    return Decoding.open({
      ...{ runtime, config, graph },
      continuing: other && {
        session: other,
        signature: continuing!.signature,
        sites: continuing!.sites,
        hasRows: false,
        besides: {},
      },
    });
  }

  private async openContinuing({ instrumented, nodes }: ContinuingBranch): Promise<DeviceSession> {
    const { session, graphFile, config, onRun } = this.parts;
    const { device } = session;
    // A device may hang in it as in a run; it has the time of the longest one.
    const listen = device === 'cpu' ? undefined : onRun;
    listen?.(config.contextLength);
    try {
      return await DeviceSession.open(instrumented, { device, name: graphFile, nodes, onRun });
    } finally {
      listen?.(null);
    }
  }

  /** Ends what `profile` asked for: the file is written. */
  endProfiling(): void {
    this.parts.session.endProfiling();
  }

  /** Gives the model's memory back. Replays of its passes no longer work. */
  async dispose(): Promise<void> {
    const { session, attention } = this.parts;
    const rerun = await this.rerunSession?.catch(() => null);
    const continuing = await this.continuingSession;
    const replays = 'unavailable' in attention ? [] : attention.sessions;
    await this.parts.anatomy.dispose();
    await Promise.all([this.preparations.dispose(), this.scorer.dispose()]);
    await releaseAll([session, ...replays, ...(rerun ? [rerun] : []), ...(continuing ? [continuing] : [])]);
  }

  private replay(
    plan: AttentionPlan,
    ids: Uint32Array,
    feeds: Feeds,
    results: Readonly<Record<string, Tensor>>,
  ): KeptAttention {
    const { runtime, config } = this.parts;
    const sites = plan.layers.flatMap(({ kind, site }) => (kind === 'replay' ? [site] : []));
    const kept = new Map(plan.constants);
    for (const name of plan.fetch) {
      kept.set(name, results[name]);
    }
    for (const name of plan.given) {
      kept.set(name, feeds[name]);
    }
    const sideInputs = new Set(sites.flatMap((site) => site.sideInputs.filter((name) => kept.has(name))));
    return createAttentionReplay({
      runtime,
      plans: plan.layers,
      heads: config.heads,
      length: ids.length,
      kept: shareEqual(kept, sideInputs),
      preparations: this.preparations,
      rerun: (site) => this.rerun(site, ids),
    });
  }

  /** [H, T, T] */
  private async rerun({ weights }: AttentionSite, ids: Uint32Array): Promise<Float32Array> {
    const { runtime, graphFile, signature, config, rerunModel } = this.parts;
    // On the processor, whatever the model runs on: other devices do not compute what operators attend to.
    this.rerunSession ??= DeviceSession.open(rerunModel!, { device: 'cpu', name: graphFile, nodes: [] });
    const feeds = buildFeeds(runtime, signature, config, ids);
    const results = await (await this.rerunSession).run(feeds, [weights], ids.length);
    return floatData(results[weights]);
  }
}

/** [T] of any tokens: what is tried on them is the graph and not the model. */
function probeIds({ contextLength, vocabSize }: DecoderConfig): Uint32Array {
  return Uint32Array.from({ length: Math.min(PROBE_LENGTH, contextLength) }, (_, index) => (index * 7919) % vocabSize);
}

async function planUnlessUnavailable(
  runtime: Runtime,
  { topology: exported, parts, signature, attention: sites }: GraphAnalysis,
  config: DecoderConfig,
): Promise<AttentionPlan | { readonly unavailable: string }> {
  if ('unavailable' in sites) {
    return sites;
  }
  const ids = probeIds(config);
  const probe = buildFeeds(runtime, signature, config, ids);
  const { heads } = config;
  try {
    return await planAttention({ runtime, exported, parts, sites, heads, probe, probeLength: ids.length });
  } catch (error) {
    if (!(error instanceof HeadlightError) || error.code === 'runtime-unavailable') {
      throw error;
    }
    // A model that cannot be run at all says so when it is opened as a whole.
    return { unavailable: error.message };
  }
}

/** None where an operator of the exported graph keeps some of them to itself. */
function handedOutputsOf(
  { topology }: GraphAnalysis,
  { layers }: AttentionPlan,
  anatomyPlan: AnatomyPlan,
): HandedOutputs {
  const isComputed = (tensor: string) => topology.producer(tensor) !== undefined;
  const weights = layers.map(({ site }, layer) => [site.weights, `headlight.weights.${layer}`] as const);
  if (!weights.every(([tensor]) => isComputed(tensor))) {
    return NOT_HANDED;
  }
  const byLayer = layers.map((_, layer) => innerTensors(anatomyPlan, layer));
  const isOpen = byLayer.every((tensors) => tensors?.every(isComputed));
  const inner = byLayer.map((tensors) =>
    (isOpen ? tensors! : []).map((tensor) => [tensor, `headlight.inner.${tensor}`] as const),
  );
  return {
    rowsOf: new Map(weights.flatMap((entry, layer) => [entry, ...inner[layer]])),
    weights: weights.map(([, output]) => output),
    inner: new Map(inner.flat()),
  };
}

/** Whether a run over so many tokens hands out what it computes inside the layers. */
function isHandedOut({ config: { layers, heads, hiddenSize }, handed }: Parts, length: number): boolean {
  const bytes = Float32Array.BYTES_PER_ELEMENT;
  return (
    handed.rowsOf.size > 0 &&
    bytes * layers * heads * length ** 2 <= MOST_WEIGHT_BYTES &&
    bytes * handed.inner.size * length * hiddenSize <= MOST_INNER_BYTES
  );
}

/** The nodes that hand out some of these tensors only if they are written so. */
function handingOut({ parts: { handedOut } }: GraphAnalysis, tensors: readonly string[]) {
  const written = tensors.flatMap((name) => (handedOut.has(name) ? [handedOut.get(name)!] : []));
  return new Map(written.map(([node, content]) => [node, [content]]));
}

async function releaseAll(sessions: readonly Pick<InferenceSession, 'release'>[]): Promise<void> {
  await Promise.all(sessions.map((session) => session.release()));
}

/** Of each row the token behind it, and any behind the last token. */
function followingTokens(ids: Uint32Array, { from, to }: TokenRange): readonly number[] {
  return Array.from({ length: to - from }, (_, row) => ids[from + row + 1] ?? 0);
}

function checkIds(ids: Uint32Array, { contextLength, vocabSize }: DecoderConfig): void {
  if (ids.length === 0) {
    throw new HeadlightError('text-empty', 'There are no tokens to run; give the model at least one.');
  }
  if (ids.length > contextLength) {
    throw new HeadlightError(
      'text-too-long',
      `${ids.length} tokens are more than the ${contextLength} that this model can read; shorten the passage.`,
    );
  }
  const unknown = ids.find((id) => id >= vocabSize);
  if (unknown !== undefined) {
    throw new HeadlightError(
      'argument-invalid',
      `There is no token ${unknown}: the model's vocabulary ends at ${vocabSize - 1}.`,
    );
  }
}

/** [T, V] out of [1, T, V]. */
function logitsOf(tensor: Tensor, length: number, { config, graphFile }: Parts): Float32Array {
  const vocabSize = tensor.dims.at(-1);
  if (vocabSize !== config.vocabSize) {
    throw new HeadlightError(
      'tokenizer-mismatch',
      `${graphFile} gives logits for ${vocabSize} tokens but config.json says vocab_size ${config.vocabSize}; use a ` +
        'configuration and a graph of the same model.',
    );
  }
  if (tensor.size !== length * vocabSize) {
    throw new HeadlightError(
      'graph-unsupported',
      `${graphFile} gives logits [${tensor.dims}] for ${length} tokens; choose an export that gives them for every position.`,
    );
  }
  return floatData(tensor);
}
