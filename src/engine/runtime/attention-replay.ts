import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import type { AttentionSite } from '../onnx/attention';
import type { DataType } from '../onnx/data-type';
import type { PartsModel } from '../onnx/parts-model';
import type { ReplayGraph } from '../onnx/replay-graph';
import { firstLine, type Runtime } from './providers';
import { cutSlice, type OpenedSlice } from './slices';
import { byteLengthOf, floatData } from './tensors';

/**
 * The attention of one run, recomputed on demand from the queries and keys that the run left behind: T × d numbers a head
 * instead of T × T.
 */
export interface AttentionReplay {
  readonly layers: number;
  readonly heads: number;
  /** T, in tokens. */
  readonly length: number;
  /** What is kept for all layers together. */
  readonly byteLength: number;
  /** [T, T] weights after the softmax, row by query; each row sums to 1. */
  head(layer: number, head: number): Promise<Float32Array>;
  /** [H, T, T] */
  layer(layer: number): Promise<Float32Array>;
  /** [T, T] of each head in turn. Use it before the next: that one may be written in its place. */
  eachHead(layer: number): AsyncGenerator<Float32Array>;
}

/** How one layer's weights are recomputed. */
export type LayerPlan =
  | {
      readonly kind: 'replay';
      readonly site: AttentionSite;
      readonly graph: ReplayGraph;
      readonly session: InferenceSession;
      /** Whether a head can be computed by blocks of queries. */
      readonly blockwise: boolean;
      /** Null where all that the replay reads is kept as it is. */
      readonly prepared: Preparation | null;
    }
  /** By running the whole graph once more. */
  | { readonly kind: 'rerun'; readonly site: AttentionSite };

/** What is computed first where one operator does a layer's whole attention: queries and keys as the scores need them. */
export interface Preparation {
  readonly open: PartsModel['open'];
  /** What is kept of the run, with its types. */
  readonly from: ReadonlyMap<string, DataType>;
  readonly to: readonly string[];
}

/** The preparations of a model's layers, each opened when it is first asked for. */
export class Preparations {
  private readonly opened = new Map<Preparation, Promise<OpenedSlice>>();

  /** The kept tensors, and those that were prepared from them. */
  async run(preparation: Preparation, kept: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>> {
    const { open, from, to } = preparation;
    const opening = this.opened.get(preparation) ?? cutSlice(open, { from, to });
    this.opened.set(preparation, opening);
    opening.catch(() => this.opened.delete(preparation));
    const { session } = await opening;
    const feeds = Object.fromEntries([...from.keys()].map((name) => [name, kept.get(name)!]));
    const results = await session.run(feeds, [...to]).catch(notRecomputed);
    return new Map([...kept, ...Object.entries(results)]);
  }

  async dispose(): Promise<void> {
    const opened = await Promise.allSettled(this.opened.values());
    this.opened.clear();
    await Promise.all(opened.map((slice) => (slice.status === 'fulfilled' ? slice.value.session.release() : null)));
  }
}

function notRecomputed(cause: unknown): never {
  const why = `The attention of this passage cannot be recomputed (${firstLine(cause)}); inspect it again.`;
  throw new HeadlightError('internal', why, { cause });
}

/** Queries of a run of a long text: few enough that their scores stay in the processor's cache. */
const BLOCK = 128;
/** Up to so many tokens a layer's heads are computed all at once. */
const LONGEST_AT_ONCE = 512;

/** Runs a layer's own nodes on kept tensors. */
export class LayerReplay {
  constructor(
    private readonly runtime: Runtime,
    private readonly plan: Pick<LayerPlan & { kind: 'replay' }, 'site' | 'graph' | 'session'>,
    private readonly heads: number,
    /** Parts of what every head and layer reads, so that each is cut out once for a text. */
    private readonly sharedParts = new WeakMap<Tensor, Map<number, Tensor>>(),
  ) {}

  /** [H, T, T] */
  async layer(kept: ReadonlyMap<string, Tensor>): Promise<Float32Array> {
    return this.run((name) => kept.get(name)!);
  }

  /** Whether the layer's heads can be computed one by one. */
  isHeadwise(kept: ReadonlyMap<string, Tensor>): boolean {
    const { site, graph } = this.plan;
    const isSplit = (name: string) => headAxis(kept.get(name)!, this.heads) !== null;
    return graph.headwise && isSplit(site.queries) && (isSplit(site.keys) || headCount(kept.get(site.keys)!) === 1);
  }

  /** [T, T] of a layer that is headwise. */
  async head(kept: ReadonlyMap<string, Tensor>, head: number): Promise<Float32Array> {
    return this.run((name) => this.ofHead(kept.get(name)!, head));
  }

  /**
   * One head of a layer that is headwise, where no query looks ahead: each block of queries is multiplied with the keys up
   * to its own end, and what lies beyond them stays as it is.
   *
   * @param into [T, T], zeros or another head of the same text
   */
  async headByBlocks(
    kept: ReadonlyMap<string, Tensor>,
    head: number,
    into: Float32Array,
    block: number = BLOCK,
  ): Promise<void> {
    const length = Math.sqrt(into.length);
    for (let from = 0; from < length; from += block) {
      const to = Math.min(from + block, length);
      const rows = await this.run((name) => this.ofBlock(name, kept.get(name)!, head, from, to, length));
      for (let query = from; query < to; query++) {
        into.set(rows.subarray((query - from) * to, (query - from + 1) * to), query * length);
      }
    }
  }

  private async run(tensorOf: (name: string) => Tensor): Promise<Float32Array> {
    const { graph, session } = this.plan;
    const feeds = Object.fromEntries([...graph.inputs].map(([name, input]) => [input, tensorOf(name)]));
    const results = await session.run(feeds).catch(notRecomputed);
    return floatData(results[graph.output]);
  }

  /** The head's part of a tensor that has the heads on its third axis from the end; others serve every head as they are. */
  private ofHead(tensor: Tensor, head: number): Tensor {
    const axis = headAxis(tensor, this.heads);
    if (axis === null) {
      return tensor;
    }
    const dims = tensor.dims.with(axis, 1);
    const size = tensor.size / this.heads;
    const data = (tensor.data as Float32Array).subarray(head * size, (head + 1) * size);
    return new this.runtime.Tensor(tensor.type as 'float32', data, dims);
  }

  /** What the queries from…to − 1 of one head read of a tensor: their own rows, and of keys those before `to`. */
  private ofBlock(name: string, whole: Tensor, head: number, from: number, to: number, length: number): Tensor {
    const { site, graph } = this.plan;
    const tensor = this.ofHead(whole, head);
    if (name === site.queries) {
      return window(this.runtime, tensor, [from, to], null);
    }
    if (name === site.keys) {
      return graph.keysByToken
        ? window(this.runtime, tensor, [0, to], null)
        : window(this.runtime, tensor, null, [0, to]);
    }
    // What the other nodes read is spread over the scores, [1 or H, 1 or T, 1 or T].
    const rows: Span | null = tensor.dims.at(-2) === length ? [from, to] : null;
    const columns: Span | null = tensor.dims.at(-1) === length ? [0, to] : null;
    if (tensor !== whole || (rows === null && columns === null)) {
      return window(this.runtime, tensor, rows, columns);
    }
    const parts = this.sharedParts.get(whole) ?? new Map<number, Tensor>();
    this.sharedParts.set(whole, parts);
    const part = parts.get(from) ?? window(this.runtime, whole, rows, columns);
    parts.set(from, part);
    return part;
  }
}

type Span = readonly [from: number, to: number];

/** Some rows and columns of the matrices in a tensor [.., R, C]; null takes all. Shares the memory where that is possible. */
function window({ Tensor }: Runtime, tensor: Tensor, rows: Span | null, columns: Span | null): Tensor {
  if (rows === null && columns === null) {
    return tensor;
  }
  const { dims, type } = tensor;
  const data = tensor.data as Float32Array;
  const [height, width] = [dims.at(-2) ?? 1, dims.at(-1)!];
  const [top, bottom] = rows ?? [0, height];
  const [left, right] = columns ?? [0, width];
  const cutDims = dims.length < 2 ? [right - left] : [...dims.slice(0, -2), bottom - top, right - left];
  const matrices = data.length / (height * width);
  if (matrices === 1 && right - left === width) {
    return new Tensor(type as 'float32', data.subarray(top * width, bottom * width), cutDims);
  }
  const copy = data.slice(0, matrices * (bottom - top) * (right - left));
  let at = 0;
  for (let matrix = 0; matrix < matrices; matrix++) {
    for (let row = top; row < bottom; row++) {
      const start = (matrix * height + row) * width;
      copy.set(data.subarray(start + left, start + right), at);
      at += right - left;
    }
  }
  return new Tensor(type as 'float32', copy, cutDims);
}

/** The third axis from the end where it counts heads and everything before it is 1. */
function headAxis({ dims }: Tensor, heads: number): number | null {
  const axis = dims.length - 3;
  return heads > 1 && axis >= 0 && dims[axis] === heads && dims.slice(0, axis).every((dim) => dim === 1) ? axis : null;
}

function headCount({ dims }: Tensor): number {
  return dims.at(-3) ?? 1;
}

/** What a run left behind, and how to go on from there. */
export interface ReplaySources {
  readonly runtime: Runtime;
  readonly plans: readonly LayerPlan[];
  readonly heads: number;
  readonly length: number;
  /** By the tensor's name in the model's graph. */
  readonly kept: ReadonlyMap<string, Tensor>;
  readonly preparations: Preparations;
  /** [H, T, T] of a layer by another run of the model. */
  readonly rerun: (site: AttentionSite) => Promise<Float32Array>;
}

export function createAttentionReplay(sources: ReplaySources): AttentionReplay {
  const { runtime, plans, heads, length, kept, preparations, rerun } = sources;
  const sharedParts = new WeakMap<Tensor, Map<number, Tensor>>();
  let newestPrepared: { readonly layer: number; readonly tensors: ReadonlyMap<string, Tensor> } | null = null;
  let newest: { readonly layer: number; readonly weights: Float32Array } | null = null;
  const planOf = (layer: number): LayerPlan => {
    const plan = plans[layer];
    if (plan === undefined) {
      throw new HeadlightError('argument-invalid', `There is no layer ${layer}; the model has ${plans.length}.`);
    }
    return plan;
  };
  const tensorsOf = async (layer: number, { prepared }: LayerPlan & { kind: 'replay' }) => {
    if (prepared === null) {
      return kept;
    }
    if (newestPrepared?.layer !== layer) {
      newestPrepared = { layer, tensors: await preparations.run(prepared, kept) };
    }
    return newestPrepared.tensors;
  };
  const wholeLayer = async (layer: number): Promise<Float32Array> => {
    const plan = planOf(layer);
    return plan.kind === 'replay'
      ? new LayerReplay(runtime, plan, heads).layer(await tensorsOf(layer, plan))
      : rerun(plan.site);
  };
  /** Writes one head into [T, T] zeros or what another head left there; null where the heads are not computed one by one. */
  const headWriter = async (layer: number) => {
    const plan = planOf(layer);
    if (plan.kind === 'rerun') {
      return null;
    }
    const tensors = await tensorsOf(layer, plan);
    const replay = new LayerReplay(runtime, plan, heads, sharedParts);
    if (!replay.isHeadwise(tensors)) {
      return null;
    }
    return plan.blockwise && length > LONGEST_AT_ONCE
      ? (head: number, into: Float32Array) => replay.headByBlocks(tensors, head, into)
      : async (head: number, into: Float32Array) => into.set(await replay.head(tensors, head));
  };
  const cells = length * length;
  return {
    layers: plans.length,
    heads,
    length,
    byteLength: [...new Set(kept.values())].reduce((sum, tensor) => sum + byteLengthOf(tensor), 0),
    async layer(layer) {
      const write = length > LONGEST_AT_ONCE ? await headWriter(layer) : null;
      if (write === null) {
        return wholeLayer(layer);
      }
      const weights = new Float32Array(heads * cells);
      for (let head = 0; head < heads; head++) {
        await write(head, weights.subarray(head * cells, (head + 1) * cells));
      }
      return weights;
    },
    async *eachHead(layer) {
      const write = length > LONGEST_AT_ONCE ? await headWriter(layer) : null;
      const weights = write === null ? await wholeLayer(layer) : new Float32Array(cells);
      for (let head = 0; head < heads; head++) {
        await write?.(head, weights);
        yield write === null ? weights.subarray(head * cells, (head + 1) * cells) : weights;
      }
    },
    async head(layer, head) {
      if (!Number.isInteger(head) || head < 0 || head >= heads) {
        throw new HeadlightError('argument-invalid', `There is no head ${head}; each layer has ${heads}.`);
      }
      const write = await headWriter(layer);
      if (write !== null) {
        const weights = new Float32Array(cells);
        await write(head, weights);
        return weights;
      }
      // Who looks at one head of such a layer looks at its neighbours next.
      const weights: Float32Array = newest?.layer === layer ? newest.weights : await wholeLayer(layer);
      newest = { layer, weights };
      return weights.slice(head * cells, (head + 1) * cells);
    },
  };
}

/** Tensors that hold the same numbers become one: old exports cut the same triangle of a mask out for every layer. */
export function shareEqual(tensors: ReadonlyMap<string, Tensor>, names: Iterable<string>): Map<string, Tensor> {
  const shared = new Map(tensors);
  const byForm = new Map<string, Tensor[]>();
  for (const name of names) {
    const tensor = shared.get(name)!;
    const form = `${tensor.type} ${tensor.dims}`;
    const others = byForm.get(form) ?? [];
    const equal = others.find((other) => viewOf(other).equals(viewOf(tensor)));
    if (equal === undefined) {
      byForm.set(form, [...others, tensor]);
    } else {
      shared.set(name, equal);
    }
  }
  return shared;
}

function viewOf({ data }: Tensor): Buffer {
  const { buffer, byteOffset, byteLength } = data as Float32Array;
  return Buffer.from(buffer, byteOffset, byteLength);
}
