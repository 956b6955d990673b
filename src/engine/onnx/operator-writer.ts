import type { AttributeContent, NodeContent } from './build';
import { DataType } from './data-type';
import type { GraphNode } from './graph';
import type { Topology } from './topology';

/** Whether a tensor is one of those that were written in an operator's place. */
export function isPartOf(operator: GraphNode, tensor: string): boolean {
  return tensor.startsWith(prefixOf(operator));
}

function prefixOf({ outputs }: GraphNode): string {
  return `${outputs[0]}/parts/`;
}

/** An operator being written as its parts. Operators of any opset are used in a form that all of them have. */
export class OperatorWriter {
  readonly nodes: NodeContent[] = [];
  readonly inputs: readonly string[];

  constructor(
    readonly topology: Topology,
    protected readonly node: GraphNode,
  ) {
    this.inputs = node.inputs;
  }

  integer(name: string, otherwise: number): number {
    return Number(this.node.attributes.get(name)?.value ?? otherwise);
  }

  float(name: string): number {
    return this.integer(name, 0);
  }

  integers(name: string): readonly number[] | null {
    const value = this.node.attributes.get(name)?.value;
    return Array.isArray(value) && value.length > 0 ? value : null;
  }

  /** The last dimension of a weight. */
  storedWidth(weight: string): number | null {
    return this.topology.storedConstant(weight)?.dims.at(-1) ?? null;
  }

  op(
    name: string,
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeContent>> = {},
    domain = '',
  ): string {
    const output = this.named(name);
    this.nodes.push({ opType, domain, inputs, outputs: [output], attributes });
    return output;
  }

  /** [1, T, H·d] → [1, T, H, d] */
  splitHeads(name: string, tensor: string, heads: number): string {
    return this.op(name, 'Reshape', [tensor, this.ints(`${name}_shape`, [0, 0, heads, -1])]);
  }

  /** [1, T, …] → [1, T, all others] */
  joinHeads(name: string, tensor: string): string {
    return this.op(name, 'Reshape', [tensor, this.ints(`${name}_shape`, [0, 0, -1])]);
  }

  slice(name: string, tensor: string, from: number, to: number, axis: number): string {
    const bounds = [from, to, axis].map((value, index) =>
      this.ints(`${name}_${['from', 'to', 'axis'][index]}`, [value]),
    );
    return this.op(name, 'Slice', [tensor, ...bounds]);
  }

  /** [1, T]: 0 … T − 1 */
  positions(name: string, tensor: string): string {
    const counted = this.range(name, this.size(`${name}_count`, tensor, 1));
    return this.op(`${name}_row`, 'Reshape', [counted, this.ints(`${name}_row_shape`, [1, -1])]);
  }

  /** [1]: the length of one axis. */
  protected size(name: string, tensor: string, axis: number): string {
    return this.op(name, 'Gather', [this.op(`${name}_of`, 'Shape', [tensor]), this.ints(`${name}_axis`, [axis])]);
  }

  /** [N]: 0 … N − 1, from a length [1]. */
  protected range(name: string, length: string): string {
    const limit = this.op(`${name}_limit`, 'Reshape', [length, this.ints(`${name}_scalar`, [], [0])]);
    const [start, step] = [this.ints(`${name}_start`, [0], []), this.ints(`${name}_step`, [1], [])];
    return this.op(name, 'Range', [start, limit, step]);
  }

  protected ints(name: string, values: readonly number[], dims: readonly number[] = [values.length]): string {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.constant(name, DataType.Int64, dims, data);
  }

  protected number(name: string, value: number): string {
    return this.constant(`${name}_value`, DataType.Float32, [], new Uint8Array(Float32Array.of(value).buffer));
  }

  private constant(name: string, dataType: DataType, dims: readonly number[], data: Uint8Array): string {
    return this.op(name, 'Constant', [], { value: { tensor: { name: '', dataType, dims, data } } });
  }

  /** A name that no exporter gives. */
  named(name: string): string {
    return `${prefixOf(this.node)}${name}`;
  }
}
