import type { AttentionSite } from './attention';
import { Flow, type FlowStep } from './flow';
import type { LayerParts } from './layer-parts';
import type { Topology } from './topology';

/** A norm in front of a part of a block. */
export interface NormSite {
  /** [1, T, D]: what the part reads. */
  readonly normed: string;
  readonly kind: 'LayerNorm' | 'RMSNorm';
  /** Whether it norms what the attention has added to already, instead of the stream before the block. */
  readonly afterAttention: boolean;
}

/** The norms of one block; null for one that was not found. */
export interface LayerNorms {
  readonly attention: NormSite | null;
  readonly feedForward: NormSite | null;
}

const PRODUCTS = new Set(['MatMul', 'Gemm', 'MatMulNBits', 'FusedMatMul', 'MatMulInteger']);
const NORMS = new Set(['LayerNormalization', 'SimplifiedLayerNormalization', 'RMSNormalization']);
/** What leaves the numbers as they are. */
const PASSES_ON = new Set(['Cast', 'Dropout', 'Identity', 'Reshape']);
const MOST_STEPS = 60;

/** Finds the norms in front of a block's attention and of its feed-forward. */
export function findLayerNorms(topology: Topology, site: AttentionSite, parts: LayerParts): LayerNorms {
  const flow = new Flow(topology, [parts.before]);
  const attended = new Flow(topology, parts.attention);
  const normBefore = (tensor: string, products: number): NormSite | null => {
    const normed = beforeProducts(topology, flow, tensor, products);
    return normed === null ? null : readNorm(flow, normed, attended.has(normed));
  };
  return {
    attention: normBefore(site.queries, 1),
    // Down and up again.
    feedForward: parts.feedForward.length === 1 ? normBefore(parts.feedForward[0], 2) : null,
  };
}

/** What the first projection reads: the tensor before so many products with weights. */
function beforeProducts(topology: Topology, flow: Flow, tensor: string, products: number): string | null {
  let left = products;
  let at = tensor;
  for (let step = 0; step < MOST_STEPS; step++) {
    const before = flow.before(at);
    if (before === null) {
      return null;
    }
    left -= isProjection(topology, flow, before) ? 1 : 0;
    at = before.from;
    if (left === 0) {
      break;
    }
  }
  while (PASSES_ON.has(topology.producer(at)?.opType ?? '')) {
    at = topology.producer(at)!.inputs[0];
  }
  return left === 0 ? at : null;
}

function isProjection(topology: Topology, flow: Flow, { nodes }: FlowStep): boolean {
  return nodes.some(
    ({ opType, inputs }) => PRODUCTS.has(opType) && flow.has(inputs[0]) && topology.isConstant(inputs[1]),
  );
}

/** The norm whose result a tensor is: one operator, or as many as it takes up to the means that it is made of. */
function readNorm(flow: Flow, normed: string, afterAttention: boolean): NormSite | null {
  const operators: string[] = [];
  for (let at = normed, step = 0; step < MOST_STEPS; step++) {
    const before = flow.before(at);
    if (before === null) {
      return null;
    }
    operators.push(...before.nodes.map(({ opType }) => opType));
    const norm = operators.find((name) => NORMS.has(name));
    if (norm !== undefined) {
      return { normed, kind: norm === 'LayerNormalization' ? 'LayerNorm' : 'RMSNorm', afterAttention };
    }
    if (operators.includes('ReduceMean')) {
      // A LayerNorm takes the mean off, in the same step or in the one before.
      const earlier = flow.before(before.from);
      const all = [...operators, ...(earlier?.nodes.map(({ opType }) => opType) ?? [])];
      return { normed, kind: all.includes('Sub') ? 'LayerNorm' : 'RMSNorm', afterAttention };
    }
    if (operators.some((name) => PRODUCTS.has(name))) {
      return null;
    }
    at = before.from;
  }
  return null;
}
