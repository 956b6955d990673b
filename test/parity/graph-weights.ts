import { readFileSync } from 'node:fs';
import { DataType } from '../../src/engine/onnx/data-type';
import { type Graph, readModel } from '../../src/engine/onnx/graph';
import { ModelFile } from '../../src/engine/onnx/model-file';
import type { StoredTensor } from '../../src/engine/onnx/tensor';

/** The weights of a graph by name, in float64. Ones that are kept as int8 are cast and scaled, as the graph does it. */
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

  /** The weight of that name; the graph may have more in front of it, and say `layers` for `h`. */
  get(name: string): Float64Array {
    let weight = this.cache.get(name);
    if (weight === undefined) {
      weight = this.read(name, (full) => full.replace(/\blayers(?=\.\d)/, 'h').endsWith(`.${name}`));
      this.cache.set(name, weight);
    }
    return weight;
  }

  private read(name: string, isNamed: (full: string) => boolean): Float64Array {
    for (const [full, tensor] of this.graph.initializers) {
      if (isNamed(full)) {
        return this.numbers(tensor);
      }
    }
    const product = this.graph.nodes.find(({ opType, outputs }) => opType === 'Mul' && isNamed(outputs[0]));
    const cast = this.graph.nodes.find(({ outputs }) => outputs[0] === product?.inputs[0]);
    const quantized = this.graph.initializers.get(cast?.inputs[0] ?? '');
    const scale = this.graph.initializers.get(product?.inputs[1] ?? '');
    if (cast?.opType !== 'Cast' || quantized === undefined || scale === undefined) {
      throw new Error(`the graph does not have the weight ${name}`);
    }
    // The scale is [rows, 1] or [1, columns].
    const [, columns] = quantized.dims;
    const perRow = scale.dims[0] > 1;
    const scales = this.numbers(scale);
    return this.numbers(quantized).map((value, i) => value * scales[perRow ? Math.floor(i / columns) : i % columns]);
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
      default:
        throw new Error(`the weight ${name} has data type ${dataType}`);
    }
  }
}
