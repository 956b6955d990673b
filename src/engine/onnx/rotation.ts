import type { AttentionSite } from './attention';
import { Flow } from './flow';
import type { GraphNode } from './graph';
import type { Topology } from './topology';

/** Where queries or keys are turned by their positions (RoPE, Su et al. 2021), as names of tensors of the same shape. */
export interface Turn {
  readonly before: string;
  readonly after: string;
  /** Whether their tokens stand before their heads: [1, T, H, d] or [1, T, H·d] instead of [1, H, T, d] or [H, T, d]. */
  readonly tokensFirst: boolean;
}

/** The rotation of a layer. */
export interface Rotation {
  readonly queries: Turn;
  readonly keys: Turn;
}

/** Between the projection and the product with the other side there are a few dozen nodes. */
const MOST_STEPS = 40;
/** What a position's cosines and sines are looked up with. */
const LOOK_UPS = new Set(['Gather', 'GatherElements', 'GatherND', 'Slice']);
/** What a table may be repeated by, for a batch. */
const REPEATS = new Set(['Expand', 'Tile']);

/**
 * Finds where a layer turns its queries and keys.
 *
 * @param stream the residual stream before the layer
 * @returns null where it does not
 */
export function findRotation(topology: Topology, stream: string, site: AttentionSite): Rotation | null {
  const flow = new Flow(topology, [stream]);
  const queries = findTurn(topology, flow, site.queries);
  const keys = findTurn(topology, flow, site.keysTransposed);
  return queries === null || keys === null ? null : { queries, keys };
}

function findTurn(topology: Topology, flow: Flow, tensor: string): Turn | null {
  let after = tensor;
  let tokensFirst = false;
  for (let step = 0; step < MOST_STEPS; step++) {
    const before = flow.before(after);
    if (before === null) {
      return null;
    }
    if (before.nodes.some((node) => turns(topology, flow, node))) {
      return { before: before.from, after, tokensFirst };
    }
    // Twice is not at all: where an operator's parts begin with what the graph has just undone.
    tokensFirst = tokensFirst !== (before.nodes.filter(swapsHeads).length % 2 === 1);
    after = before.from;
  }
  return null;
}

/** A transposition from [1, T, H, d] to [1, H, T, d] or, for keys, to [1, H, d, T]. */
function swapsHeads({ opType, attributes }: GraphNode): boolean {
  const order = attributes.get('perm')?.value;
  return opType === 'Transpose' && Array.isArray(order) && order[1] === 2;
}

/** Whether a node brings in what a position's angle gives. */
function turns(topology: Topology, flow: Flow, node: GraphNode): boolean {
  return (
    node.opType === 'RotaryEmbedding' ||
    (node.opType === 'Mul' && node.inputs.some((input) => !flow.has(input) && isAngular(topology, input)))
  );
}

/** Whether a tensor is computed by sine or cosine, or looked up in a table of weights. */
function isAngular(topology: Topology, tensor: string): boolean {
  const seen = new Set([tensor]);
  for (const name of seen) {
    const node = topology.isConstant(name) ? undefined : topology.producer(name);
    if (node === undefined) {
      continue;
    }
    const isTable = LOOK_UPS.has(node.opType) && rankOf(topology, unrepeated(topology, node.inputs[0])) >= 2;
    if (node.opType === 'Cos' || node.opType === 'Sin' || isTable) {
      return true;
    }
    if (node.opType !== 'Shape') {
      for (const input of node.inputs) {
        seen.add(input);
      }
    }
  }
  return false;
}

function unrepeated(topology: Topology, tensor: string): string {
  const node = topology.producer(tensor);
  return node !== undefined && REPEATS.has(node.opType) ? unrepeated(topology, node.inputs[0]) : tensor;
}

/** 0 where it is not known. */
function rankOf(topology: Topology, tensor: string): number {
  return topology.storedConstant(tensor)?.dims.length ?? 0;
}
