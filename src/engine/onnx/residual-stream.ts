import type { GraphNode } from './graph';
import type { Topology } from './topology';

/** The residual stream, as names of tensors [1, T, D]; or in a sentence why it was not found. */
export type ResidualStream =
  | {
      readonly found: true;
      /** Layers + 1: the sum of the embeddings, then the stream after each block, the last before the final norm. */
      readonly tensors: readonly string[];
    }
  | { readonly found: false; readonly why: string };

/** Where a path of data ends: a shape says nothing about the numbers. */
const NO_FLOW = new Set(['Shape', 'Size', 'ConstantOfShape', 'IsNaN', 'IsInf']);
const EMBEDDING = new Set(['Gather', 'GatherBlockQuantized']);
/** What leaves the numbers on the stream as they are. */
const PASSES_ON = new Set(['Cast', 'Dropout', 'Identity']);

/**
 * Finds the residual stream by what it is: between the token embeddings and the logits there are tensors that every path
 * has to pass. A sum is one of those, while what it adds, being able to go around it, is not.
 *
 * @param entries the node where each layer's attention begins, in the order of the layers
 * @param tokens the graph's input of token ids
 * @param logits the graph's output
 */
export function findResidualStream(
  topology: Topology,
  entries: readonly GraphNode[],
  tokens: string,
  logits: string,
): ResidualStream {
  const notFound = (why: string): ResidualStream => ({ found: false, why });
  const head = topology.producer(logits);
  const roots = embeddingNodes(topology, tokens);
  if (head === undefined || roots.length === 0) {
    return notFound('No look-up of token embeddings was found in the graph.');
  }
  const tree = new DominatorTree(topology, roots);
  const path = tree.pathTo(head);
  const sums = path.filter((node) => isResidualSum(tree, node));
  if (entries.length === 0 || sums.length < entries.length) {
    return notFound('The graph has no sum after each layer that every path from the embeddings to the logits passes.');
  }
  const onPath = new Set(path);
  const tensors: string[] = [];
  for (const [layer, entry] of entries.entries()) {
    const before = tree.nearestAbove(entry, onPath);
    const sum = before && sums.find((candidate) => topology.position(candidate) > topology.position(before));
    const stream = sum && skipOperand(topology, sum, onPath);
    if (stream === undefined) {
      return notFound(`The residual stream before layer ${layer} was not found.`);
    }
    if (layer > 0 && !comesFrom(topology, stream, sums)) {
      return notFound(
        `Before layer ${layer} there is a norm on the residual stream itself, as in models that norm after each block.`,
      );
    }
    tensors.push(stream);
  }
  return { found: true, tensors: [...tensors, sums.at(-1)!.outputs[0]] };
}

/** The look-ups of the tokens' rows in a table of weights. */
export function embeddingNodes(topology: Topology, tokens: string): readonly GraphNode[] {
  const found: GraphNode[] = [];
  const reached = new Set([tokens]);
  for (const tensor of reached) {
    for (const node of topology.consumers(tensor)) {
      if (EMBEDDING.has(node.opType) && node.inputs[1] === tensor && topology.isConstant(node.inputs[0])) {
        found.push(node);
      } else if (PASSES_ON.has(node.opType) || node.opType === 'Reshape' || node.opType === 'Unsqueeze') {
        reached.add(node.outputs[0]);
      }
    }
  }
  return found;
}

/** Both of what it adds come from the embeddings: not a bias, not an embedding of positions. */
function isResidualSum(tree: DominatorTree, { opType, domain, inputs }: GraphNode): boolean {
  const isSum = (opType === 'Add' || opType === 'Sum') && domain === '' && inputs.length >= 2;
  return isSum && inputs.every((input) => tree.flowsInto(input));
}

/** Whether a tensor is one of these sums, in another shape at most. */
function comesFrom(topology: Topology, tensor: string, sums: readonly GraphNode[]): boolean {
  let node = topology.producer(tensor);
  while (node !== undefined && (PASSES_ON.has(node.opType) || node.opType === 'Reshape')) {
    node = topology.producer(node.inputs[0]);
  }
  return node !== undefined && sums.includes(node);
}

/** The operand of a residual sum that was the stream before it. */
function skipOperand(topology: Topology, sum: GraphNode, onPath: ReadonlySet<GraphNode>): string | undefined {
  for (const input of sum.inputs) {
    let tensor = input;
    let node = topology.producer(tensor);
    while (node !== undefined && PASSES_ON.has(node.opType)) {
      tensor = node.inputs[0];
      node = topology.producer(tensor);
    }
    if (node !== undefined && onPath.has(node)) {
      return tensor;
    }
  }
  return undefined;
}

interface Place {
  /** The nearest node that every path from the embeddings to this one passes; null where there is none. */
  readonly parent: GraphNode | null;
  readonly depth: number;
  /** An ancestor some way up, so that a common ancestor is found in few steps in a graph of any depth. */
  readonly jump: GraphNode | null;
}

/** For every node that the embeddings flow into: which nodes all of that flow passes. */
class DominatorTree {
  private readonly places = new Map<GraphNode, Place>();

  constructor(
    private readonly topology: Topology,
    roots: readonly GraphNode[],
  ) {
    const isRoot = new Set(roots);
    for (const node of topology.order) {
      if (isRoot.has(node)) {
        this.place(node, null);
      } else if (!NO_FLOW.has(node.opType)) {
        const sources = node.inputs.map((input) => topology.producer(input)).filter((source) => this.flows(source));
        if (sources.length > 0) {
          this.place(
            node,
            sources.reduce<GraphNode | null>((common, source) => this.common(common, source), sources[0]),
          );
        }
      }
    }
  }

  flowsInto(tensor: string): boolean {
    return this.flows(this.topology.producer(tensor));
  }

  /** The nodes that every path to this one passes, in order, this one included. */
  pathTo(node: GraphNode): readonly GraphNode[] {
    const path: GraphNode[] = [];
    for (
      let at: GraphNode | null = this.places.has(node) ? node : null;
      at !== null;
      at = this.places.get(at)!.parent
    ) {
      path.push(at);
    }
    return path.reverse();
  }

  /** The nearest of `nodes` that every path to `node` passes. */
  nearestAbove(node: GraphNode, nodes: ReadonlySet<GraphNode>): GraphNode | undefined {
    let at = this.places.has(node) ? node : null;
    while (at !== null && !nodes.has(at)) {
      at = this.places.get(at)!.parent;
    }
    return at ?? undefined;
  }

  private flows(node: GraphNode | undefined): node is GraphNode {
    return node !== undefined && this.places.has(node);
  }

  private place(node: GraphNode, parent: GraphNode | null): void {
    const above = parent === null ? null : this.places.get(parent)!;
    const jumped = above?.jump ? this.places.get(above.jump)! : null;
    // Jump pointers of a skew-binary tree: as far as two jumps of the parent where those are equally long.
    const even =
      above !== null && jumped !== null && above.depth - jumped.depth === jumped.depth - this.depthOf(jumped.jump);
    this.places.set(node, {
      parent,
      depth: above === null ? 0 : above.depth + 1,
      jump: even ? jumped.jump : parent,
    });
  }

  private depthOf(node: GraphNode | null): number {
    return node === null ? -1 : this.places.get(node)!.depth;
  }

  private common(first: GraphNode | null, second: GraphNode | null): GraphNode | null {
    let [a, b] = [first, second];
    while (a !== b) {
      if (a === null || b === null) {
        return null;
      }
      if (this.depthOf(a) < this.depthOf(b)) {
        [a, b] = [b, a];
      }
      const { parent, jump }: Place = this.places.get(a)!;
      if (this.depthOf(a) > this.depthOf(b)) {
        a = this.depthOf(jump) >= this.depthOf(b) ? jump : parent;
      } else {
        const other: Place = this.places.get(b)!;
        if (jump !== other.jump) {
          [a, b] = [jump, other.jump];
        } else {
          [a, b] = [parent, other.parent];
        }
      }
    }
    return a;
  }
}
