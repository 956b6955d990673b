import type { GraphNode } from './graph';
import type { Topology } from './topology';

/** Where a path of data ends: a shape says nothing about the numbers. */
const NO_FLOW = new Set(['Shape', 'Size', 'ConstantOfShape']);

/** A part of a graph between two tensors that everything passes. */
export interface FlowStep {
  /** Where it begins. */
  readonly from: string;
  /** All that lies in between, the last one first. */
  readonly nodes: readonly GraphNode[];
}

/** What is computed from some tensors of a graph. */
export class Flow {
  private readonly tensors: Set<string>;

  constructor(
    private readonly topology: Topology,
    private readonly roots: readonly string[],
  ) {
    this.tensors = new Set(roots);
    for (const tensor of this.tensors) {
      for (const node of topology.consumers(tensor)) {
        if (!NO_FLOW.has(node.opType)) {
          for (const output of node.outputs.filter((name) => name !== '')) {
            this.tensors.add(output);
          }
        }
      }
    }
  }

  has(tensor: string): boolean {
    return this.tensors.has(tensor);
  }

  /** The nearest tensor before this one that all of the flow into it passes; null for a root. */
  before(tensor: string): FlowStep | null {
    const nodes: GraphNode[] = [];
    const frontier = new Set([tensor]);
    while (nodes.length === 0 || frontier.size > 1) {
      const last = this.lastOf(frontier);
      const node = last === null ? undefined : this.topology.producer(last);
      if (last === null || node === undefined) {
        return null;
      }
      nodes.push(node);
      for (const output of node.outputs) {
        frontier.delete(output);
      }
      for (const input of node.inputs) {
        if (this.tensors.has(input)) {
          frontier.add(input);
        }
      }
    }
    const [from] = frontier;
    return { from, nodes };
  }

  /** The one that is computed last, of those that are no roots. */
  private lastOf(tensors: ReadonlySet<string>): string | null {
    let last: string | null = null;
    let place = -1;
    for (const tensor of tensors) {
      const node = this.roots.includes(tensor) ? undefined : this.topology.producer(tensor);
      if (node !== undefined && this.topology.position(node) > place) {
        [last, place] = [tensor, this.topology.position(node)];
      }
    }
    return last;
  }
}
