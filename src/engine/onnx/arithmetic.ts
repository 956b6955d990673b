import type { Arithmetic } from '../../protocol/device';
import { DataType } from './data-type';
import type { Model } from './graph';

/** Operators that round what they multiply, or may: each implementation in its own way. Weights alone say nothing of that. */
const ROUNDING: ReadonlySet<string> = new Set([
  'ConvInteger',
  'MatMulInteger',
  'QLinearMatMul',
  'QLinearConv',
  'QuantizeLinear',
  'DynamicQuantizeLinear',
  'DynamicQuantizeMatMul',
  'MatMulIntegerToFloat',
  'MatMulNBits',
  'QAttention',
  'QGemm',
]);
const HALVES: ReadonlySet<number> = new Set([DataType.Float16, DataType.BFloat16]);

/** The coarsest arithmetic that a graph computes in, whatever its weights are stored as. */
export function arithmeticOf({ graph: { nodes, initializers, inputs } }: Pick<Model, 'graph'>): Arithmetic {
  if (nodes.some(({ opType }) => ROUNDING.has(opType))) {
    return 'integer';
  }
  const hasHalves =
    [...initializers.values()].some(({ dataType }) => HALVES.has(dataType)) ||
    inputs.some(({ elementType }) => elementType !== null && HALVES.has(elementType)) ||
    nodes.some(({ opType, attributes }) => opType === 'Cast' && HALVES.has(Number(attributes.get('to')?.value)));
  return hasHalves ? 'float16' : 'float32';
}
