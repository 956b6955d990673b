import type { Tensor } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import { DataType } from '../onnx/data-type';
import type { Runtime } from './providers';

/** The runtime's types by ONNX's, with the arrays that hold their numbers. */
const TYPES = [
  ['float32', DataType.Float32, Float32Array],
  ['float16', DataType.Float16, Uint16Array],
  ['float64', DataType.Float64, Float64Array],
  ['bool', DataType.Bool, Uint8Array],
  ['int8', DataType.Int8, Int8Array],
  ['uint8', DataType.Uint8, Uint8Array],
  ['int16', DataType.Int16, Int16Array],
  ['uint16', DataType.Uint16, Uint16Array],
  ['int32', DataType.Int32, Int32Array],
  ['uint32', DataType.Uint32, Uint32Array],
  ['int64', DataType.Int64, BigInt64Array],
  ['uint64', DataType.Uint64, BigUint64Array],
] as const;

/** @throws HeadlightError `graph-unsupported` for text and other tensors that are not of numbers */
export function dataTypeOf({ type }: Tensor): DataType {
  const known = TYPES.find(([name]) => name === type);
  if (known === undefined) {
    throw new HeadlightError('graph-unsupported', `The graph computes with ${type}, which Headlight cannot keep.`);
  }
  return known[1];
}

/**
 * A tensor from its numbers as they stand in a file.
 *
 * @returns null for a type that the runtime does not take from outside
 */
export function tensorOfBytes(
  { Tensor }: Runtime,
  dataType: number,
  dims: readonly number[],
  bytes: Uint8Array,
): Tensor | null {
  const known = TYPES.find(([, type]) => type === dataType);
  if (known === undefined) {
    return null;
  }
  const [type, , Numbers] = known;
  // A copy: the numbers may stand at any address, which arrays do not take.
  return new Tensor(type as 'float32', new Numbers(new Uint8Array(bytes).buffer) as Float32Array, dims);
}

/**
 * A tensor's numbers in single precision. The same memory where they are float32 already.
 *
 * @throws HeadlightError `graph-unsupported` for a tensor that is not of floating-point numbers
 */
export function floatData({ data, type }: Tensor): Float32Array {
  if (data instanceof Float32Array) {
    return data;
  }
  if (type === 'float16' && data instanceof Uint16Array) {
    return Float32Array.from(data, halfToFloat);
  }
  if (type === 'float16' || type === 'float64') {
    return Float32Array.from(data as Iterable<number>);
  }
  throw new HeadlightError('graph-unsupported', `The graph gives ${type} where floating-point numbers are expected.`);
}

/** A floating-point tensor of that type from numbers in single precision. */
export function tensorOfFloats(
  { Tensor }: Runtime,
  type: Tensor['type'],
  values: Float32Array,
  dims: readonly number[],
): Tensor {
  switch (type) {
    case 'float32':
      return new Tensor('float32', values, dims);
    case 'float64':
      return new Tensor('float64', Float64Array.from(values), dims);
    case 'float16':
      return new Tensor('float16', Uint16Array.from(values, floatToHalf), dims);
    default:
      throw new HeadlightError('graph-unsupported', `The graph computes with ${type}, which Headlight cannot give it.`);
  }
}

const floatView = new Float32Array(1);
const bitView = new Uint32Array(floatView.buffer);

/** The nearest number in IEEE 754 half precision, as its 16 bits. */
function floatToHalf(value: number): number {
  floatView[0] = value;
  const sign = (bitView[0] >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  // From half a step above the largest one on it is infinite.
  if (!(magnitude < 65520)) {
    return sign | (Number.isNaN(value) ? 0x7e00 : 0x7c00);
  }
  if (magnitude < 2 ** -14) {
    return sign | Math.round(magnitude * 2 ** 24);
  }
  const exponent = Math.floor(Math.log2(magnitude));
  // Rounding up to the next power of two carries into the exponent's bits.
  return sign | (((exponent + 15) << 10) + Math.round((magnitude / 2 ** exponent - 1) * 1024));
}

/** IEEE 754 half precision, from its 16 bits. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) {
    return sign * fraction * 2 ** -24;
  }
  if (exponent === 0x1f) {
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  }
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** What a tensor of numbers takes in memory. */
export function byteLengthOf({ data }: Tensor): number {
  return ArrayBuffer.isView(data) ? data.byteLength : 0;
}
