import { closeSync, openSync, writevSync } from 'node:fs';
import {
  type AttributeContent,
  encodeModel,
  type GraphContent,
  type NodeContent,
  type TensorContent,
  type ValueContent,
} from '../../../../src/engine/onnx/build';
import { DataType } from '../../../../src/engine/onnx/data-type';

type Attributes = Readonly<Record<string, AttributeContent>>;

/** Writes a graph node by node; every method that adds a tensor returns its name. */
export class GraphBuilder {
  readonly nodes: NodeContent[] = [];
  readonly inputs: ValueContent[] = [];
  readonly outputs: ValueContent[] = [];
  readonly initializers: TensorContent[] = [];
  private counter = 0;
  private seed: number;

  constructor(seed = 1) {
    this.seed = seed;
  }

  input(name: string, elementType: DataType, dims: readonly (number | string)[]): string {
    this.inputs.push({ name, elementType, dims });
    return name;
  }

  output(name: string, elementType: DataType, dims: readonly (number | string)[]): void {
    this.outputs.push({ name, elementType, dims });
  }

  /** A node with one output. */
  op(opType: string, inputs: readonly string[], attributes?: Attributes, domain?: string): string {
    return this.ops(opType, inputs, 1, attributes, domain)[0];
  }

  /** A node with several outputs. */
  ops(
    opType: string,
    inputs: readonly string[],
    outputCount: number,
    attributes?: Attributes,
    domain?: string,
  ): readonly string[] {
    const name = this.fresh(opType);
    const outputs = Array.from({ length: outputCount }, (_, index) => `${name}_output_${index}`);
    this.nodes.push({
      opType,
      name,
      inputs,
      outputs,
      ...(attributes && { attributes }),
      ...(domain && { domain }),
    });
    return outputs;
  }

  /** The output of the newest node gets this name. */
  rename(from: string, to: string): string {
    const node = this.nodes.at(-1)!;
    this.nodes[this.nodes.length - 1] = { ...node, outputs: node.outputs.map((name) => (name === from ? to : name)) };
    return to;
  }

  /** An initializer. */
  tensor(dataType: DataType, dims: readonly number[], data: Uint8Array, name = this.fresh('tensor')): string {
    this.initializers.push({ name, dataType, dims, data });
    return name;
  }

  floats(dims: readonly number[], values: Float32Array | readonly number[], name?: string): string {
    return this.tensor(DataType.Float32, dims, bytesOf(Float32Array.from(values)), name);
  }

  /** A float scalar; as an initializer, or as exporters often write it, from a Constant node. */
  scalar(value: number, dataType = DataType.Float32): string {
    const data =
      dataType === DataType.Float16 ? bytesOf(Uint16Array.of(toHalf(value))) : bytesOf(Float32Array.of(value));
    return this.op('Constant', [], { value: { tensor: { name: '', dataType, dims: [], data } } });
  }

  int64(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.tensor(DataType.Int64, dims, bytesOf(BigInt64Array.from(values, BigInt)));
  }

  /** Seeded numbers, even between ±`spread`. */
  random(dims: readonly number[], spread: number, dataType = DataType.Float32, name?: string): string {
    const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
    let state = this.seed | 0;
    for (let index = 0; index < values.length; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      values[index] = (state / 2 ** 31) * spread;
    }
    this.seed = state;
    return dataType === DataType.Float16
      ? this.tensor(dataType, dims, bytesOf(Uint16Array.from(values, toHalf)), name)
      : this.tensor(dataType, dims, bytesOf(values), name);
  }

  graph(): GraphContent {
    const { nodes, inputs, outputs, initializers } = this;
    return { nodes, inputs, outputs, initializers };
  }

  /** The model file, in pieces: it may be larger than one buffer. */
  chunks(opset = 17): readonly Uint8Array[] {
    const opsets: [string, number][] = [['', opset]];
    if (this.nodes.some(({ domain }) => domain === 'com.microsoft')) {
      opsets.push(['com.microsoft', 1]);
    }
    const graph =
      opset < 13 ? { ...this.graph(), nodes: this.nodes.map((node) => this.olderForm(node)) } : this.graph();
    return encodeModel({ irVersion: 8, opsets, producer: 'headlight-tests', graph }).chunks();
  }

  /** As before opset 13, where these took axes and lengths as attributes. */
  private olderForm(node: NodeContent): NodeContent {
    const attribute = { Unsqueeze: 'axes', Split: 'split' }[node.opType];
    if (attribute === undefined) {
      return node;
    }
    const [input, of] = node.inputs;
    const { data } = this.initializers.find(({ name }) => name === of)!;
    const numbers = Array.from(new BigInt64Array((data as Uint8Array).slice().buffer), Number);
    return { ...node, inputs: [input], attributes: { ...node.attributes, [attribute]: numbers } };
  }

  write(file: string, opset?: number): void {
    writeChunks(file, this.chunks(opset));
  }

  private fresh(kind: string): string {
    return `${kind}_${this.counter++}`;
  }
}

export function writeChunks(file: string, chunks: readonly Uint8Array[]): void {
  const descriptor = openSync(file, 'w');
  try {
    for (let at = 0; at < chunks.length; at += 512) {
      writevSync(descriptor, chunks.slice(at, at + 512));
    }
  } finally {
    closeSync(descriptor);
  }
}

export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

const floatView = new Float32Array(1);
const bitView = new Uint32Array(floatView.buffer);

/** A float's nearest IEEE half, as its bits. */
export function toHalf(value: number): number {
  floatView[0] = value;
  const bits = bitView[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.min(Math.abs(floatView[0]), Number.POSITIVE_INFINITY);
  if (magnitude >= 65520) {
    return sign | 0x7c00;
  }
  if (magnitude < 2 ** -14) {
    return sign | Math.round(magnitude * 2 ** 24);
  }
  const exponent = Math.floor(Math.log2(magnitude));
  return sign | (((exponent + 15) << 10) + Math.round((magnitude / 2 ** exponent - 1) * 1024));
}
