import type { GraphNode } from './graph';
import type { Topology } from './topology';

/** How the last residual stream becomes logits, as names of tensors. */
export interface Unembedding {
  /** [1, T, D]: the stream before the final norm. */
  readonly stream: string;
  /** [1, T, D]: the stream after the final norm, as the head multiplies it. */
  readonly normed: string;
  /** [1, T, V] */
  readonly logits: string;
  /** Whether nothing but the head's product and a bias lies between `normed` and `logits`. */
  readonly linear: boolean;
}

const PASSES_ON = new Set(['Cast', 'Identity']);
/** What may stand between the head's product and the logits; a softcap is of Div, Tanh and Mul. */
const AFTER_HEAD = new Set(['Add', 'Cast', 'Identity', 'Div', 'Mul', 'Tanh']);
const PRODUCTS = new Set(['MatMul', 'Gemm', 'MatMulNBits', 'FusedMatMul', 'MatMulInteger']);

/** @returns null where the head is not a product of the stream with a weight */
export function findUnembedding(topology: Topology, stream: string, logits: string): Unembedding | null {
  let node: GraphNode | undefined = topology.producer(logits);
  let linear = true;
  while (node !== undefined && !PRODUCTS.has(node.opType)) {
    const computed: readonly string[] = node.inputs.filter((input) => !topology.isConstant(input));
    if (!AFTER_HEAD.has(node.opType) || computed.length !== 1) {
      return null;
    }
    linear &&= node.opType === 'Add' || PASSES_ON.has(node.opType);
    node = topology.producer(computed[0]);
  }
  if (node === undefined || topology.isConstant(node.inputs[0]) || node.opType === 'MatMulInteger') {
    return null;
  }
  return { stream, normed: node.inputs[0], logits, linear };
}
