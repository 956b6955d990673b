import { readFileSync } from 'node:fs';
import { DataType } from '../../src/engine/onnx/data-type';
import { type Graph, readModel } from '../../src/engine/onnx/graph';
import { ModelFile } from '../../src/engine/onnx/model-file';
import type { StoredTensor } from '../../src/engine/onnx/tensor';

/**
 * The weights of a graph by name, in float64. Ones that are kept as int8 are read as the graph's DequantizeLinear makes
 * them: (q − zero point) · scale, one scale a channel.
 */
export class GraphWeights {
  private readonly cache = new Map<string, Float64Array>();

  private constructor(
    private readonly graph: Graph,
    private readonly bytes: Buffer,
  ) {}

  static open(file: string): GraphWeights {
    const model = ModelFile.open(file);
    try {
      return new GraphWeights(readModel(model).graph, readFileSync(file));
    } finally {
      model.close();
    }
  }

  /** The weight of that name, whatever modules its name begins with: `wte.weight` finds `transformer.wte.weight`. */
  get(name: string): Float64Array {
    let weight = this.cache.get(name);
    if (weight === undefined) {
      weight = this.read(name);
      this.cache.set(name, weight);
    }
    return weight;
  }

  private read(name: string): Float64Array {
    const isNamed = (full: string) => full === name || full.endsWith(`.${name}`);
    for (const [full, tensor] of this.graph.initializers) {
      if (isNamed(full)) {
        return this.numbers(tensor);
      }
    }
    const node = this.graph.nodes.find(({ opType, outputs }) => opType === 'DequantizeLinear' && isNamed(outputs[0]));
    if (node === undefined) {
      throw new Error(`the graph has no weight ${name}`);
    }
    const [quantized, scale, zeroPoint] = node.inputs.map((input) => this.graph.initializers.get(input));
    const axis = node.attributes.get('axis')?.value ?? 1;
    return this.dequantize(quantized!, this.numbers(scale!), zeroPoint && this.numbers(zeroPoint), Number(axis));
  }

  private dequantize(tensor: StoredTensor, scale: Float64Array, zeroPoint: Float64Array | undefined, axis: number) {
    const { dims } = tensor;
    const stride = dims.slice(axis < 0 ? dims.length + axis + 1 : axis + 1).reduce((product, dim) => product * dim, 1);
    const channels = dims.at(axis)!;
    return this.numbers(tensor).map((quantized, i) => {
      const channel = scale.length === 1 ? 0 : Math.floor(i / stride) % channels;
      return (quantized - (zeroPoint?.[channel] ?? 0)) * scale[channel];
    });
  }

  private numbers({ name, dataType, data }: StoredTensor): Float64Array {
    if (data.kind !== 'raw') {
      throw new Error(`the weight ${name} is not kept as raw bytes`);
    }
    const { offset, length } = data.range;
    const bytes = this.bytes.subarray(offset, offset + length);
    switch (dataType) {
      case DataType.Float32:
        return Float64Array.from({ length: length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
      case DataType.Int8:
        return Float64Array.from(bytes, (byte) => (byte << 24) >> 24);
      case DataType.Uint8:
        return Float64Array.from(bytes);
      default:
        throw new Error(`the weight ${name} has data type ${dataType}`);
    }
  }
}
