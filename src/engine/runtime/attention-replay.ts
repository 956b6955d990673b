import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import type { AttentionSite } from '../onnx/attention';
import type { DataType } from '../onnx/data-type';
import type { PartsModel } from '../onnx/parts-model';
import { BLOCK_FROM, BLOCK_TO, type ReplayGraph } from '../onnx/replay-graph';
import { checkedLayer, checkHead, type KeptAttention } from './kept-attention';
import { firstLine, type Runtime } from './providers';
import { cutSlice, type OpenedSlice } from './slices';
import { byteLengthOf, floatData } from './tensors';

/** How one layer's weights are recomputed. */
export type LayerPlan =
  | {
      readonly kind: 'replay';
      readonly site: AttentionSite;
      readonly whole: OpenedReplay;
      /** For some queries at a time, each block with the keys up to its end; null where that does not give the same. */
      readonly blocks: OpenedReplay | null;
      /** Null where all that the replay reads is kept as it is. */
      readonly prepared: Preparation | null;
    }
  /** By running the whole graph once more. */
  | { readonly kind: 'rerun'; readonly site: AttentionSite };

/** A replay's graph, and a session for it, which those of the same structure share. */
export interface OpenedReplay {
  readonly graph: ReplayGraph;
  readonly session: InferenceSession;
}

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

/** Queries of a block: few enough that the scores of some heads stay in the processor's cache. */
const BLOCK = 128;
/** Up to so many tokens heads are computed without blocks. */
const LONGEST_WHOLE = 384;
/** The weights of heads that are computed together take up to so much. */
const GROUP_BYTES = 24 * 1024 * 1024;

/** Runs a layer's own nodes on kept tensors. */
export class LayerReplay {
  constructor(
    private readonly runtime: Runtime,
    private readonly plan: Pick<LayerPlan & { kind: 'replay' }, 'site' | 'whole' | 'blocks'>,
    private readonly heads: number,
  ) {}

  /** [H, T, T] */
  async layer(kept: ReadonlyMap<string, Tensor>): Promise<Float32Array> {
    return this.run(this.plan.whole, (name) => kept.get(name)!);
  }

  /** Whether the layer's heads can be computed apart from each other. */
  isHeadwise(kept: ReadonlyMap<string, Tensor>): boolean {
    const { site, whole } = this.plan;
    const isSplit = (name: string) => headAxis(kept.get(name)!, this.heads) !== null;
    return (
      whole.graph.headwise && isSplit(site.queries) && (isSplit(site.keys) || headCount(kept.get(site.keys)!) === 1)
    );
  }

  /** [G, T, T] of the heads first…first + count − 1 of a layer that is headwise. */
  async group(kept: ReadonlyMap<string, Tensor>, first: number, count: number): Promise<Float32Array> {
    return this.run(this.plan.whole, (name) => this.ofHeads(kept.get(name)!, first, count));
  }

  /**
   * The same for a layer with blocks: no query of it looks ahead, and what lies beyond the keys of a block stays as it is.
   *
   * @param into [G, T, T], zeros or other heads of the same text
   */
  async groupByBlocks(
    kept: ReadonlyMap<string, Tensor>,
    first: number,
    into: Float32Array,
    length: number,
    block: number = BLOCK,
  ): Promise<void> {
    const { blocks } = this.plan;
    const count = into.length / length ** 2;
    const parts = new Map(
      [...blocks!.graph.inputs.keys()].map((name) => [name, this.ofHeads(kept.get(name)!, first, count)]),
    );
    for (let from = 0; from < length; from += block) {
      const to = Math.min(from + block, length);
      const ends = { [BLOCK_FROM]: this.integer(from), [BLOCK_TO]: this.integer(to) };
      const rows = await this.run(blocks!, (name) => parts.get(name)!, ends);
      let at = 0;
      for (let head = 0; head < count; head++) {
        for (let query = from; query < to; query++) {
          into.set(rows.subarray(at, at + to), (head * length + query) * length);
          at += to;
        }
      }
    }
  }

  private async run(
    { graph, session }: OpenedReplay,
    tensorOf: (name: string) => Tensor,
    ends: Readonly<Record<string, Tensor>> = {},
  ): Promise<Float32Array> {
    const feeds = Object.fromEntries([...graph.inputs].map(([name, input]) => [input, tensorOf(name)]));
    const results = await session.run({ ...feeds, ...ends }).catch(notRecomputed);
    return floatData(results[graph.output]);
  }

  private integer(value: number): Tensor {
    return new this.runtime.Tensor('int64', BigInt64Array.of(BigInt(value)), [1]);
  }

  /** Those heads' part of a tensor that has the heads on its third axis from the end; others serve every head as they are. */
  private ofHeads(tensor: Tensor, first: number, count: number): Tensor {
    const axis = headAxis(tensor, this.heads);
    if (axis === null) {
      return tensor;
    }
    const dims = tensor.dims.with(axis, count);
    const size = tensor.size / this.heads;
    const data = (tensor.data as Float32Array).subarray(first * size, (first + count) * size);
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

/**
 * Recomputes the weights on demand from the queries and keys that the run left behind: T × d numbers a head instead of
 * T × T.
 */
export function createAttentionReplay(sources: ReplaySources): KeptAttention {
  const { runtime, plans, heads, length, kept, preparations, rerun } = sources;
  let newestPrepared: { readonly layer: number; readonly tensors: ReadonlyMap<string, Tensor> } | null = null;
  let newest: { readonly layer: number; readonly weights: Float32Array } | null = null;
  /** Of a group of heads, between one layer and the next: fresh memory takes longer than what is written there. */
  let spare: Float32Array | null = null;
  const cells = length * length;
  const groupSize = Math.min(heads, Math.max(1, Math.floor(GROUP_BYTES / (cells * Float32Array.BYTES_PER_ELEMENT))));
  const planOf = (layer: number): LayerPlan => plans[checkedLayer(layer, plans.length)];
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
  /** Writes some heads into [G, T, T] zeros or what others left there; null where all of a layer are computed at once. */
  const groupWriter = async (layer: number) => {
    const plan = planOf(layer);
    if (plan.kind === 'rerun') {
      return null;
    }
    const tensors = await tensorsOf(layer, plan);
    const replay = new LayerReplay(runtime, plan, heads);
    if (!replay.isHeadwise(tensors)) {
      return null;
    }
    return plan.blocks !== null && length > LONGEST_WHOLE
      ? (first: number, into: Float32Array) => replay.groupByBlocks(tensors, first, into, length)
      : async (first: number, into: Float32Array) => into.set(await replay.group(tensors, first, into.length / cells));
  };
  return {
    layers: plans.length,
    heads,
    length,
    byteLength: [...new Set(kept.values())].reduce((sum, tensor) => sum + byteLengthOf(tensor), 0),
    async layer(layer) {
      const write = length > LONGEST_WHOLE ? await groupWriter(layer) : null;
      if (write === null) {
        return wholeLayer(layer);
      }
      const weights = new Float32Array(heads * cells);
      for (let first = 0; first < heads; first += groupSize) {
        await write(first, weights.subarray(first * cells, Math.min(first + groupSize, heads) * cells));
      }
      return weights;
    },
    async *eachHead(layer) {
      const write = length > LONGEST_WHOLE ? await groupWriter(layer) : null;
      if (write === null) {
        const weights = await wholeLayer(layer);
        for (let head = 0; head < heads; head++) {
          yield weights.subarray(head * cells, (head + 1) * cells);
        }
        return;
      }
      const group = spare ?? new Float32Array(groupSize * cells);
      spare = null;
      for (let first = 0; first < heads; first += groupSize) {
        const count = Math.min(groupSize, heads - first);
        await write(first, group.subarray(0, count * cells));
        for (let head = 0; head < count; head++) {
          yield group.subarray(head * cells, (head + 1) * cells);
        }
      }
      // Whoever looks at every head goes through the layers in their order.
      spare = layer < plans.length - 1 ? group : null;
    },
    async head(layer, head) {
      checkHead(head, heads);
      const write = await groupWriter(layer);
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
