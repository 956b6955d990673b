import { constantTensor, type Graph, type GraphNode, type Model, subgraphs } from './graph';
import type { StoredTensor } from './tensor';

/** Who gives and who takes each tensor of a graph, and in which order its nodes can be computed. */
export class Topology {
  /** Every node after those that it reads from. */
  readonly order: readonly GraphNode[];
  private readonly positions = new Map<GraphNode, number>();
  private readonly producers = new Map<string, GraphNode>();
  private readonly consumersByTensor = new Map<string, GraphNode[]>();
  private readonly constants = new Set<string>();

  /** @throws HeadlightError `model-invalid` where a node reads what nothing gives, or nodes wait for each other */
  constructor(readonly model: Model) {
    const { file, graph } = model;
    const given = new Set(['', ...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
    for (const node of graph.nodes) {
      for (const output of node.outputs) {
        this.producers.set(output, node);
        given.add(output);
      }
      // What is left out of a node's list has no name, and nothing in common with what another leaves out.
      for (const input of new Set(readBy(node).filter((name) => name !== ''))) {
        const consumers = this.consumersByTensor.get(input);
        if (consumers === undefined) {
          this.consumersByTensor.set(input, [node]);
        } else {
          consumers.push(node);
        }
      }
    }
    for (const node of graph.nodes) {
      const absent = node.inputs.find((input) => !given.has(input));
      if (absent !== undefined) {
        throw file.invalid(`has a node ${label(node)} that reads "${absent}", which nothing in the graph gives`);
      }
    }
    this.order = this.sorted(graph);
    this.order.forEach((node, position) => {
      this.positions.set(node, position);
    });
    for (const name of graph.initializers.keys()) {
      this.constants.add(name);
    }
    for (const node of this.order) {
      if (!node.opType.startsWith('Random') && readBy(node).every((input) => this.isConstant(input))) {
        for (const output of node.outputs) {
          this.constants.add(output);
        }
      }
    }
  }

  /** Where the node stands in `order`. */
  position(node: GraphNode): number {
    return this.positions.get(node)!;
  }

  producer(tensor: string): GraphNode | undefined {
    return tensor === '' ? undefined : this.producers.get(tensor);
  }

  consumers(tensor: string): readonly GraphNode[] {
    return this.consumersByTensor.get(tensor) ?? [];
  }

  /** What a node reads, and what the graphs inside it read from around it. */
  readBy(node: GraphNode): readonly string[] {
    return readBy(node);
  }

  /** Whether the tensor is the same for every input: a weight, or computed from weights alone. */
  isConstant(tensor: string): boolean {
    return tensor === '' || this.constants.has(tensor);
  }

  /** What a constant holds, where it stands in the file as such. */
  storedConstant(tensor: string): StoredTensor | null {
    const node = this.producer(tensor);
    return node === undefined ? (this.model.graph.initializers.get(tensor) ?? null) : constantTensor(node);
  }

  /** The nodes that have to run for these tensors. */
  ancestors(tensors: Iterable<string>): ReadonlySet<GraphNode> {
    const found = new Set<GraphNode>();
    const waiting = [...tensors];
    for (let tensor = waiting.pop(); tensor !== undefined; tensor = waiting.pop()) {
      const node = this.producer(tensor);
      if (node !== undefined && !found.has(node)) {
        found.add(node);
        waiting.push(...readBy(node));
      }
    }
    return found;
  }

  private sorted({ nodes }: Graph): readonly GraphNode[] {
    const done = new Set<GraphNode>();
    const order: GraphNode[] = [];
    // Depth first with its own stack; a file in order, as nearly all are, comes out in the order of the file.
    for (const root of nodes) {
      const path: { readonly node: GraphNode; readonly needs: readonly string[]; next: number }[] = [];
      const open = new Set<GraphNode>();
      const enter = (node: GraphNode) => {
        if (open.has(node)) {
          throw this.model.file.invalid(`has a node ${label(node)} that waits for its own result`);
        }
        if (!done.has(node)) {
          open.add(node);
          path.push({ node, needs: readBy(node), next: 0 });
        }
      };
      enter(root);
      for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
        if (top.next < top.needs.length) {
          const producer = this.producer(top.needs[top.next++]);
          if (producer !== undefined) {
            enter(producer);
          }
        } else {
          path.pop();
          open.delete(top.node);
          done.add(top.node);
          order.push(top.node);
        }
      }
    }
    return order;
  }
}

/** What a node reads, and what the graphs inside it read from around it. */
function readBy(node: GraphNode): readonly string[] {
  const inner = subgraphs(node);
  return inner.length === 0 ? node.inputs : [...node.inputs, ...inner.flatMap(readFromOutside)];
}

function readFromOutside({ nodes, inputs, initializers, outputs }: Graph): readonly string[] {
  const own = new Set([
    ...inputs.map(({ name }) => name),
    ...initializers.keys(),
    ...nodes.flatMap(({ outputs: given }) => given),
  ]);
  const read = [...nodes.flatMap(readBy), ...outputs.map(({ name }) => name)];
  return read.filter((name) => !own.has(name));
}

/** A node as a sentence names it. */
export function label({ opType, name }: GraphNode): string {
  return name === '' ? opType : `${opType} "${name}"`;
}
