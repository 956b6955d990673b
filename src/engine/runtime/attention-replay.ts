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
}

/** How one layer's weights are recomputed. */
export type LayerPlan =
  | {
      readonly kind: 'replay';
      readonly site: AttentionSite;
      readonly graph: ReplayGraph;
      readonly session: InferenceSession;
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

/** Runs a layer's own nodes on kept tensors. */
export class LayerReplay {
  constructor(
    private readonly runtime: Runtime,
    private readonly site: AttentionSite,
    private readonly graph: ReplayGraph,
    private readonly session: InferenceSession,
    private readonly heads: number,
  ) {}

  /** [H, T, T] */
  async layer(kept: ReadonlyMap<string, Tensor>): Promise<Float32Array> {
    return this.run((name) => kept.get(name)!);
  }

  /** [T, T]; null where the layer's heads cannot be computed one by one. */
  async head(kept: ReadonlyMap<string, Tensor>, head: number): Promise<Float32Array | null> {
    const { queries, keysTransposed } = this.site;
    const isSplit = (name: string) => headAxis(kept.get(name)!, this.heads) !== null;
    if (
      !this.graph.headwise ||
      !isSplit(queries) ||
      !(isSplit(keysTransposed) || headCount(kept.get(keysTransposed)!) === 1)
    ) {
      return null;
    }
    return this.run((name) => this.ofHead(kept.get(name)!, head));
  }

  private async run(tensorOf: (name: string) => Tensor): Promise<Float32Array> {
    const feeds = Object.fromEntries([...this.graph.inputs].map(([name, input]) => [input, tensorOf(name)]));
    const results = await this.session.run(feeds).catch(notRecomputed);
    return floatData(results[this.graph.output]);
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
  let newestPrepared: { readonly layer: number; readonly tensors: ReadonlyMap<string, Tensor> } | null = null;
  let newest: { readonly layer: number; readonly weights: Float32Array } | null = null;
  const planOf = (layer: number): LayerPlan => {
    const plan = plans[layer];
    if (plan === undefined) {
      throw new HeadlightError('argument-invalid', `There is no layer ${layer}; the model has ${plans.length}.`);
    }
    return plan;
  };
  const replayOf = (plan: LayerPlan & { kind: 'replay' }) =>
    new LayerReplay(runtime, plan.site, plan.graph, plan.session, heads);
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
    return plan.kind === 'replay' ? replayOf(plan).layer(await tensorsOf(layer, plan)) : rerun(plan.site);
  };
  return {
    layers: plans.length,
    heads,
    length,
    byteLength: [...new Set(kept.values())].reduce((sum, tensor) => sum + byteLengthOf(tensor), 0),
    layer: wholeLayer,
    async head(layer, head) {
      if (!Number.isInteger(head) || head < 0 || head >= heads) {
        throw new HeadlightError('argument-invalid', `There is no head ${head}; each layer has ${heads}.`);
      }
      const plan = planOf(layer);
      const alone = plan.kind === 'replay' ? await replayOf(plan).head(await tensorsOf(layer, plan), head) : null;
      if (alone !== null) {
        return alone;
      }
      // Who looks at one head of such a layer looks at its neighbours next.
      const weights: Float32Array = newest?.layer === layer ? newest.weights : await wholeLayer(layer);
      newest = { layer, weights };
      return weights.slice(head * length * length, (head + 1) * length * length);
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
