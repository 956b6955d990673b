import type { Tensor } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import type { DecoderConfig } from '../model/config';
import type { GraphAnalysis } from '../onnx/analysis';
import { type AttentionSite, entryNode } from '../onnx/attention';
import type { DataType } from '../onnx/data-type';
import { type Embedding, findEmbedding } from '../onnx/embedding';
import { TOKENS_INPUT } from '../onnx/head-columns';
import { findLayerNorms, type LayerNorms } from '../onnx/layer-norms';
import { findLayerParts, type LayerParts, type Neurons } from '../onnx/layer-parts';
import type { PartsModel } from '../onnx/parts-model';
import { isHeadwiseSite } from '../onnx/replay-graph';
import { findRotation, type Rotation } from '../onnx/rotation';
import { scorePath } from '../onnx/score-path';
import type { Signature } from '../onnx/signature';
import { findUnembedding, type Unembedding } from '../onnx/unembedding';
import { buildFeeds, type Feeds } from './feeds';
import { LogitReader, type LogitReading } from './logit-reader';
import { firstLine, type Runtime } from './providers';
import { type NearRow, RowComparer } from './row-comparer';
import { cutSlice, type OpenedSlice, openHeadColumns } from './slices';
import { byteLengthOf, dataTypeOf, floatData, tensorOfFloats } from './tensors';

/** What a run leaves behind for the stages. */
export interface KeptPass {
  /** [T] */
  readonly ids: Uint32Array;
  /** L + 1 times [1, T, D] in the graph's own type: the embeddings' sum, then the stream after each block. */
  readonly stream: readonly Tensor[];
  /** Tensors from inside the layers that the run has handed out too, by name; left out where it has not. */
  readonly inner?: ReadonlyMap<string, Tensor>;
}

/** Names of the tensors that the stages are made of, as the analysis of the graph found them. */
export interface AnatomyPlan {
  /** By layer; null where the layer's attention is not open. */
  readonly sites: readonly (AttentionSite | null)[];
  /** By layer; null where what the block adds to the stream could not be told apart. */
  readonly parts: readonly (LayerParts | null)[];
  readonly unembedding: Unembedding | null;
  /** Null where the tokens are not looked up in one table. */
  readonly embedding: Embedding | null;
  /** By layer; null where the layer's attention or its additions are not open. */
  readonly norms: readonly (LayerNorms | null)[];
  /** By layer; null where it does not turn its queries and keys. */
  readonly rotations: readonly (Rotation | null)[];
}

/** @param isTrusted whether the model's operators were proved to be what their parts are */
export function planAnatomy(
  { parts: { topology }, layers, stream, signature: { tokens, logits } }: GraphAnalysis,
  isTrusted: boolean,
): AnatomyPlan {
  const tensors = stream.found ? stream.tensors : [];
  const sites = layers.map((layer) => ('site' in layer && isTrusted ? layer.site : null));
  const parts = layers.map((layer, index) =>
    stream.found && isTrusted ? findLayerParts(topology, tensors[index], tensors[index + 1], entryNode(layer)) : null,
  );
  return {
    sites,
    parts,
    norms: sites.map((site, layer) => {
      const own = parts[layer];
      return site === null || own === null ? null : findLayerNorms(topology, site, own);
    }),
    unembedding: stream.found ? findUnembedding(topology, tensors.at(-1)!, logits) : null,
    embedding: stream.found ? findEmbedding(topology, tokens, tensors[0]) : null,
    rotations: sites.map((site, layer) =>
      site !== null && stream.found ? findRotation(topology, tensors[layer], site) : null,
    ),
  };
}

/**
 * What the stages ask for of every layer at once, [.., T, N] each: what its heads mix, and what it adds to the stream. Null
 * where they are not open, or have their tokens on another axis.
 */
export function innerTensors({ sites, parts }: AnatomyPlan, layer: number): readonly string[] | null {
  const [site, own] = [sites[layer], parts[layer]];
  return site === null || own === null || !isHeadByHead(site)
    ? null
    : [mixOf(site), ...own.attention, ...own.feedForward];
}

/** [1, H, T, d]: the values mixed by the weights. */
function mixOf({ contextNode }: AttentionSite): string {
  return contextNode.outputs[0];
}

/** What goes through one layer. All but the stream's additions are as the attention's own nodes have it. */
export interface LayerTensors {
  /** [H, T, d] */
  readonly queries: Float32Array;
  /** [H or fewer, T, d] */
  readonly keys: Float32Array;
  /** [H or fewer, T, d] */
  readonly values: Float32Array;
  /** [H, T, d]: the values mixed by the weights. */
  readonly context: Float32Array;
  /** Numbers of a query's or key's vector, and of a value's. */
  readonly headDim: number;
  readonly valueDim: number;
  /** Heads that have keys and values of their own in these tensors. */
  readonly keyHeads: number;
  readonly valueHeads: number;
}

/** What one block adds to the stream, [T, D] each. */
export interface LayerAdditions {
  readonly attention: Float32Array;
  readonly feedForward: Float32Array;
}

/** The scores of one head on their way into the softmax. */
export interface HeadScores {
  /** [T, T]: the product of queries and keys, as the graph multiplies them. */
  readonly product: Float32Array;
  /** [T, T]: scaled, and whatever else the model does to them before it masks. */
  readonly scores: Float32Array;
  /** [T, T]: what the softmax reads. */
  readonly masked: Float32Array;
  /** All of them, from the product to what the softmax reads, with the operator that gave each; null for the product. */
  readonly steps: readonly { readonly operator: string | null; readonly scores: Float32Array }[];
}

/** The hidden layer of a feed-forward. */
export interface NeuronTensors {
  /** [T, F] */
  readonly activations: Float32Array;
  /** [T, F] each. */
  readonly projections: readonly Float32Array[];
  readonly width: number;
  readonly activation: Neurons['activation'];
}

export interface AnatomyOptions {
  readonly runtime: Runtime;
  readonly graphFile: string;
  /** What the parts are cut out of. */
  readonly open: PartsModel['open'];
  readonly config: DecoderConfig;
  readonly signature: Signature;
  readonly plan: AnatomyPlan;
}

/** Below every score that has any weight left after the softmax in single precision: e^−104 is 0. */
const MASKED_BELOW = -104;
/** Logits that are in memory at a time where only some are wanted: 16 MB, or 80 rows of a vocabulary of 50,000. */
const LOGITS_AT_ONCE = 4_000_000;
/** What the layers of a passage leave behind is kept up to this, so that the next question needs no run. */
const LAYER_RUN_BYTES = 64 * 2 ** 20;

/**
 * What happens inside the layers, by running parts of the model's own graph on the residual stream that a pass left
 * behind. A part is opened when it is first asked for; its weights stay in the model's file.
 */
export class Anatomy {
  private readonly slices = new Map<string, Promise<OpenedSlice>>();
  /** The head for some tokens alone, once it was asked for; null where its weights do not allow it. */
  private columns: Promise<OpenedSlice | null> | null = null;
  /** Of the newest pass; what was asked for last stands last. */
  private layerRuns: { readonly pass: KeptPass | null; readonly byLayer: Map<number, LayerRun> } = EMPTY_RUNS;

  private readonly reader: LogitReader;
  private readonly comparer: RowComparer;

  constructor(private readonly options: AnatomyOptions) {
    this.reader = new LogitReader(options.runtime, options.config.vocabSize);
    this.comparer = new RowComparer(options.runtime);
  }

  get plan(): AnatomyPlan {
    return this.options.plan;
  }

  /** The shape of the model. */
  get config(): DecoderConfig {
    return this.options.config;
  }

  /**
   * Runs the part of the graph between some tensors and others.
   *
   * @param key names the part, which is cut out once; each has the same ends every time
   * @param given the numbers of the tensors where it begins
   * @param wanted the tensors that it computes
   */
  async part(
    pass: Pick<KeptPass, 'ids'>,
    key: string,
    given: ReadonlyMap<string, Tensor>,
    wanted: readonly string[],
  ): Promise<Readonly<Record<string, Tensor>>> {
    const slice = await this.open(key, given, wanted);
    return this.run(slice, pass, Object.fromEntries(given), wanted);
  }

  /** A tensor of the runtime. */
  tensor(type: Tensor['type'], values: Float32Array, dims: readonly number[]): Tensor {
    return tensorOfFloats(this.options.runtime, type, values, dims);
  }

  /** Token ids, or what else is looked up with, as 64-bit integers. */
  integers(values: Iterable<number>, dims: readonly number[]): Tensor {
    return new this.options.runtime.Tensor('int64', BigInt64Array.from(values, BigInt), dims);
  }

  /** Heads of a layer that have keys and values of their own. */
  get keyValueHeads(): number {
    return this.options.config.kvHeads;
  }

  /** Query heads that share one key/value head. */
  get queryHeadsPerKeyHead(): number {
    return this.options.config.heads / this.options.config.kvHeads;
  }

  /** @throws HeadlightError `graph-unsupported` where the layer's attention is not open */
  async layer(pass: KeptPass, layer: number): Promise<LayerTensors> {
    const site = this.siteOf(layer);
    const run = await this.runLayer(pass, layer);
    const { heads } = this.options.config;
    const length = pass.ids.length;
    const [queries, keys, values, context] = [site.queries, site.keysTransposed, site.values, mixOf(site)].map(
      (name) => run.get(name)!,
    );
    const headDim = queries.dims.at(-1)!;
    const valueDim = values.dims.at(-1)!;
    if (!endsWith(queries, [heads, length, headDim]) || context.dims.at(-1) !== valueDim) {
      throw notHeadByHead(layer);
    }
    this.checkMix(site, context, layer, length);
    return {
      queries: floatData(queries),
      keys: endsTransposed(site) ? transposed(floatData(keys), headDim, length) : floatData(keys),
      values: floatData(values),
      context: floatData(context),
      headDim,
      valueDim,
      keyHeads: keys.size / (length * headDim),
      valueHeads: values.size / (length * valueDim),
    };
  }

  /** The scores of one head, by the layer's own nodes on its queries and keys. */
  async headScores(pass: KeptPass, layer: number, head: number): Promise<HeadScores> {
    const site = this.siteOf(layer);
    const run = await this.runLayer(pass, layer);
    const path = scorePath(site);
    const length = pass.ids.length;
    const cells = length * length;
    const queries = run.get(site.queries)!;
    const keys = run.get(site.keysTransposed)!;
    const from = new Map([queries, keys].map((tensor, at) => [at === 0 ? site.queries : site.keysTransposed, tensor]));
    const slice = await this.open(`scores ${layer}`, from, path);
    const part = (tensor: Tensor) => (isHeadwiseSite(site) ? this.ofHead(tensor, head) : tensor);
    const given = { [site.queries]: part(queries), [site.keysTransposed]: part(keys) };
    const results = await this.run(slice, pass, given, path);
    const tensors = path.map((name) => {
      const data = floatData(results[name]);
      // Where all heads were computed, or a bias of each head made maps for all, the head's own is in its place.
      return data.length === cells ? data : data.subarray(head * cells, (head + 1) * cells);
    });
    const operators = new Map(site.chain.map(({ opType, outputs }) => [outputs[0], opType]));
    const maskedAt = tensors.findIndex((scores) => isMasked(scores, length));
    return {
      product: tensors[0],
      scores: tensors[maskedAt < 1 ? tensors.length - 1 : maskedAt - 1],
      masked: tensors.at(-1)!,
      steps: path.map((name, at) => ({ operator: operators.get(name) ?? null, scores: tensors[at] })),
    };
  }

  /** @throws HeadlightError `graph-unsupported` where the block's additions could not be told apart */
  async additions(pass: KeptPass, layer: number): Promise<LayerAdditions> {
    const parts = this.partsOf(layer);
    const run = await this.ofLayer(pass, layer, [...parts.attention, ...parts.feedForward]);
    const total = (names: readonly string[]) => {
      const [first, ...others] = names.map((name) => floatData(run.get(name)!));
      return others.reduce((sum, more) => sum.map((value, at) => value + more[at]), first ?? new Float32Array());
    };
    return { attention: total(parts.attention), feedForward: total(parts.feedForward) };
  }

  /** Null where the feed-forward has no hidden layer that could be found. */
  async neurons(pass: KeptPass, layer: number): Promise<NeuronTensors | null> {
    const { neurons, before } = this.partsOf(layer);
    if (neurons === null) {
      return null;
    }
    // A part of its own: where the inside of an activation is handed out, its operators are not run as one.
    const names = [neurons.activations, ...neurons.projections];
    const from = new Map([[before, pass.stream[layer]]]);
    const slice = await this.open(`neurons ${layer}`, from, names);
    const run = await this.run(slice, pass, Object.fromEntries(from), names);
    const activations = run[neurons.activations];
    return {
      activations: floatData(activations),
      projections: neurons.projections.map((name) => floatData(run[name])),
      width: activations.dims.at(-1)!,
      activation: neurons.activation,
    };
  }

  /**
   * What each head of a layer adds to the stream at one position, [H + 1, D]: by the layer's own output projection of
   * that head's mix alone. The last row is what is added without any head: the projection's bias.
   */
  async headAdditions(pass: KeptPass, layer: number, position: number): Promise<Float32Array> {
    const site = this.siteOf(layer);
    const { attention } = this.partsOf(layer);
    const { heads, hiddenSize } = this.options.config;
    const length = pass.ids.length;
    const name = mixOf(site);
    const mixed = (await this.ofLayer(pass, layer, [name])).get(name)!;
    this.checkMix(site, mixed, layer, length);
    const context = floatData(mixed);
    const valueDim = mixed.dims.at(-1)!;
    const slice = await this.open(`projection ${layer}`, new Map([[name, mixed]]), attention);
    const rows = new Float32Array((heads + 1) * hiddenSize);
    // The projection treats every position alike: head j stands alone at position j. The sequence keeps its length,
    // which some exports have worked into the shapes.
    for (let first = 0; first <= heads; first += length) {
      const alone = new Float32Array(context.length);
      for (let head = first; head < Math.min(heads, first + length); head++) {
        const from = (head * length + position) * valueDim;
        alone.set(context.subarray(from, from + valueDim), (head * length + head - first) * valueDim);
      }
      const feed = tensorOfFloats(this.options.runtime, mixed.type, alone, mixed.dims);
      const results = await this.run(slice, pass, { [name]: feed }, attention);
      const count = Math.min(length, heads + 1 - first);
      for (const part of attention) {
        const added = floatData(results[part]);
        for (let at = 0; at < count * hiddenSize; at++) {
          rows[first * hiddenSize + at] += added[at];
        }
      }
    }
    const bias = rows.subarray(heads * hiddenSize);
    for (let at = 0; at < heads * hiddenSize; at++) {
      rows[at] -= bias[at % hiddenSize];
    }
    return rows;
  }

  /**
   * The final norm of rows of the stream, by the model's own nodes.
   *
   * @param rows [R, D]
   * @returns [R, D]
   */
  async norm(pass: KeptPass, rows: Float32Array): Promise<Float32Array> {
    const { stream, normed } = this.unembedding;
    const slice = await this.open('norm', new Map([[stream, pass.stream[0]]]), [normed]);
    return floatData((await this.run(slice, pass, { [stream]: this.asRows(pass, rows) }, [normed]))[normed]);
  }

  /**
   * The logits of rows that have passed the final norm, by the model's own head.
   *
   * @param rows [R, D]
   * @returns [R, V]
   */
  async unembed(pass: KeptPass, rows: Float32Array): Promise<Float32Array> {
    const { normed, logits } = this.unembedding;
    const slice = await this.open('head', new Map([[normed, pass.stream[0]]]), [logits]);
    return floatData((await this.run(slice, pass, { [normed]: this.asRows(pass, rows) }, [logits]))[logits]);
  }

  /**
   * As `unembed`, the logits of some tokens alone.
   *
   * @param rows [R, D]
   * @returns [R, N]
   */
  async unembedTo(pass: KeptPass, rows: Float32Array, ids: readonly number[]): Promise<Float32Array> {
    const { normed, logits } = this.unembedding;
    // What the runtime refuses is left to the whole head.
    this.columns ??= openHeadColumns(this.options.open, this.unembedding, dataTypeOf(pass.stream[0])).catch(() => null);
    const columns = await this.columns;
    if (columns !== null) {
      const given = { [normed]: this.asRows(pass, rows), [TOKENS_INPUT]: this.integers(ids, [ids.length]) };
      return floatData((await this.run(columns, pass, given, [logits]))[logits]);
    }
    const { hiddenSize, vocabSize } = this.options.config;
    const count = rows.length / hiddenSize;
    const rowsAtOnce = Math.max(1, Math.floor(LOGITS_AT_ONCE / vocabSize));
    const found: number[] = [];
    for (let first = 0; first < count; first += rowsAtOnce) {
      const end = Math.min(count, first + rowsAtOnce);
      const whole = await this.unembed(pass, rows.subarray(first * hiddenSize, end * hiddenSize));
      const width = whole.length / (end - first);
      for (let row = 0; row < whole.length; row += width) {
        found.push(...ids.map((id) => whole[row + id]));
      }
    }
    return Float32Array.from(found);
  }

  /** As `LogitReader.read`. */
  readLogits(logits: Float32Array, asked: readonly (number | null)[], limit: number): Promise<readonly LogitReading[]> {
    return this.reader.read(logits, asked, limit);
  }

  /** As `RowComparer.nearest`. */
  nearestRows(
    table: Float32Array,
    vectors: readonly Float32Array[],
    limit: number,
  ): Promise<readonly (readonly NearRow[])[]> {
    return this.comparer.nearest(table, vectors, limit);
  }

  /** Whether logits are the head's product, without a function after it. */
  get isUnembeddingLinear(): boolean {
    return this.unembedding.linear;
  }

  async dispose(): Promise<void> {
    const opened = await Promise.allSettled([...this.slices.values(), this.columns]);
    this.slices.clear();
    this.columns = null;
    this.layerRuns = EMPTY_RUNS;
    await Promise.all([this.reader.dispose(), this.comparer.dispose()]);
    await Promise.all(opened.map((slice) => (slice.status === 'fulfilled' ? slice.value?.session.release() : null)));
  }

  /** Some of a layer's tensors by name: those that the run has handed out, or else what its part of the graph computes. */
  private async ofLayer(pass: KeptPass, layer: number, names: readonly string[]): Promise<LayerRun> {
    const { inner } = pass;
    return inner !== undefined && names.every((name) => inner.has(name)) ? inner : this.runLayer(pass, layer);
  }

  private checkMix(site: AttentionSite, mixed: Tensor, layer: number, length: number): void {
    const { heads } = this.options.config;
    if (!endsWith(mixed, [heads, length, mixed.dims.at(-1)!]) || !isHeadByHead(site)) {
      throw notHeadByHead(layer);
    }
  }

  /** Everything of one layer that a stage may show, computed from the stream before it. */
  private async runLayer(pass: KeptPass, layer: number): Promise<LayerRun> {
    if (this.layerRuns.pass !== pass) {
      this.layerRuns = { pass, byLayer: new Map() };
    }
    const { byLayer } = this.layerRuns;
    const known = byLayer.get(layer);
    if (known !== undefined) {
      byLayer.delete(layer);
      byLayer.set(layer, known);
      return known;
    }
    const { from, to } = this.layerEnds(pass, layer);
    // What the run has handed out of the layer need not be computed again: most of its products.
    const handed = to.filter((name) => pass.inner?.has(name));
    const rest = to.filter((name) => !handed.includes(name));
    const slice = await this.open(`${handed.length === 0 ? 'layer' : 'rest of layer'} ${layer}`, from, rest);
    const results = await this.run(slice, pass, Object.fromEntries(from), rest);
    const tensors = new Map([
      ...handed.map((name) => [name, pass.inner!.get(name)!] as const),
      ...Object.entries(results),
    ]);
    byLayer.set(layer, tensors);
    let bytes = [...byLayer.values()].reduce((sum, run) => sum + byteLengthOfRun(run), 0);
    for (const [oldest, run] of byLayer) {
      if (bytes <= LAYER_RUN_BYTES || oldest === layer) {
        break;
      }
      byLayer.delete(oldest);
      bytes -= byteLengthOfRun(run);
    }
    return tensors;
  }

  /** What a layer's part is given, and what it computes. */
  private layerEnds(pass: KeptPass, layer: number): { from: ReadonlyMap<string, Tensor>; to: readonly string[] } {
    const site = this.plan.sites[layer] ?? null;
    const parts = this.plan.parts[layer] ?? null;
    const wanted = new Set([
      ...(site === null ? [] : [site.queries, site.keysTransposed, site.values, mixOf(site)]),
      ...(parts === null ? [] : [...parts.attention, ...parts.feedForward]),
    ]);
    const before = parts?.before;
    const stream = pass.stream[layer];
    const from = new Map(before === undefined || stream === undefined ? [] : [[before, stream]]);
    return { from, to: [...wanted] };
  }

  private open(key: string, from: ReadonlyMap<string, Tensor>, to: readonly string[]): Promise<OpenedSlice> {
    const known = this.slices.get(key);
    if (known !== undefined) {
      return known;
    }
    const types = new Map<string, DataType>([...from].map(([name, tensor]) => [name, dataTypeOf(tensor)]));
    const opening = cutSlice(this.options.open, { from: types, to });
    this.slices.set(key, opening);
    opening.catch(() => this.slices.delete(key));
    return opening;
  }

  private async run(
    { session, ownInputs }: OpenedSlice,
    { ids }: Pick<KeptPass, 'ids'>,
    given: Feeds,
    fetch: readonly string[],
  ): Promise<Readonly<Record<string, Tensor>>> {
    const { runtime, signature, config } = this.options;
    const own = ownInputs.length === 0 ? {} : buildFeeds(runtime, signature, config, ids);
    const feeds = { ...Object.fromEntries(ownInputs.map((name) => [name, own[name]])), ...given };
    try {
      return await session.run(feeds, [...fetch]);
    } catch (cause) {
      throw new HeadlightError(
        'graph-unsupported',
        `This part of the model does not run apart from the rest (${firstLine(cause)}).`,
        { cause },
      );
    }
  }

  /** [1, R, D] in the type of the stream. */
  private asRows({ stream: [{ type, dims }] }: KeptPass, rows: Float32Array): Tensor {
    const width = dims.at(-1)!;
    return tensorOfFloats(this.options.runtime, type, rows, [1, rows.length / width, width]);
  }

  /** The head's part of queries or keys that have the heads on their third axis from the end. */
  private ofHead(tensor: Tensor, head: number): Tensor {
    const axis = tensor.dims.length - 3;
    const count = tensor.dims[axis];
    if (count === 1) {
      return tensor;
    }
    const size = tensor.size / count;
    const part = (tensor.data as Float32Array).subarray(head * size, (head + 1) * size);
    return new this.options.runtime.Tensor(tensor.type as 'float32', part, tensor.dims.with(axis, 1));
  }

  private get unembedding(): Unembedding {
    const { unembedding } = this.plan;
    if (unembedding === null) {
      throw unsupported('What turns the residual stream into logits was not found in this graph.');
    }
    return unembedding;
  }

  private siteOf(layer: number): AttentionSite {
    const site = this.plan.sites[this.checked(layer)];
    if (site === null) {
      throw unsupported(`The attention of layer ${layer} is one operator, whose steps the graph does not hold.`);
    }
    return site;
  }

  private partsOf(layer: number): LayerParts {
    const parts = this.plan.parts[this.checked(layer)];
    if (parts === null) {
      throw unsupported(`What layer ${layer} adds to the residual stream could not be told apart in this graph.`);
    }
    return parts;
  }

  private checked(layer: number): number {
    if (!Number.isInteger(layer) || layer < 0 || layer >= this.plan.sites.length) {
      throw new HeadlightError(
        'argument-invalid',
        `There is no layer ${layer}; the model has ${this.plan.sites.length}.`,
      );
    }
    return layer;
  }
}

type LayerRun = ReadonlyMap<string, Tensor>;

const EMPTY_RUNS = { pass: null, byLayer: new Map<number, LayerRun>() };

function byteLengthOfRun(run: LayerRun): number {
  return [...run.values()].reduce((sum, tensor) => sum + byteLengthOf(tensor), 0);
}

/** An Einsum may have its axes in any order. */
function isHeadByHead({ scoreNode, contextNode }: AttentionSite): boolean {
  return scoreNode.opType !== 'Einsum' && contextNode.opType !== 'Einsum';
}

/** Whether the product reads the keys with their tokens on the last axis. */
function endsTransposed({ scoreNode }: AttentionSite): boolean {
  return (scoreNode.attributes.get('transB')?.value ?? 0) === 0;
}

function endsWith({ dims, size }: Tensor, end: readonly number[]): boolean {
  return (
    size === end.reduce((product, dim) => product * dim, 1) && end.every((dim, at) => dims.at(at - end.length) === dim)
  );
}

/** [N, rows, columns] → [N, columns, rows] */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  return values.map((_, at) => {
    const start = at - (at % (rows * columns));
    const inner = at - start;
    return values[start + (inner % rows) * columns + Math.floor(inner / rows)];
  });
}

/** Whether nothing above the diagonal can have any weight. */
function isMasked(scores: Float32Array, length: number): boolean {
  for (let query = 0; query + 1 < length; query++) {
    const row = scores.subarray(query * length, (query + 1) * length);
    let largest = Number.NEGATIVE_INFINITY;
    for (let key = 0; key <= query; key++) {
      largest = Math.max(largest, row[key]);
    }
    for (let key = query + 1; key < length; key++) {
      if (!(row[key] - largest < MASKED_BELOW)) {
        return false;
      }
    }
  }
  return length > 1;
}

function notHeadByHead(layer: number): HeadlightError {
  return unsupported(`Layer ${layer} does not hand its queries and values out head by head.`);
}

function unsupported(message: string): HeadlightError {
  return new HeadlightError('graph-unsupported', message);
}
