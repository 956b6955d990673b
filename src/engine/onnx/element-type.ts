import { DataType } from './data-type';
import type { GraphNode } from './graph';
import type { StoredTensor } from './tensor';
import type { Topology } from './topology';

/** What these give is true or false, whatever they read. */
const LOGICAL = new Set([
  'And',
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'IsInf',
  'IsNaN',
  'Less',
  'LessOrEqual',
  'Not',
  'Or',
  'Xor',
]);
/** Operators whose result is of the type of another input than the first. */
const TYPED_BY: Readonly<Record<string, number>> = {
  DequantizeLinear: 1,
  GatherBlockQuantized: 2,
  MatMulIntegerToFloat: 2,
  Where: 1,
};
/** Longer than any chain of nodes from a tensor back to what says its type. */
const FARTHEST = 20_000;

/** A tensor's `DataType`, from what it is computed from; null where that does not tell. */
export function elementTypeOf(topology: Topology, tensor: string): number | null {
  const { graph } = topology.model;
  let name = tensor;
  for (let steps = 0; steps < FARTHEST; steps++) {
    const stored = topology.storedConstant(name);
    if (stored !== null) {
      return stored.dataType;
    }
    const node = topology.producer(name);
    if (node === undefined) {
      return graph.inputs.find((input) => input.name === name)?.elementType ?? null;
    }
    const given = typeGivenBy(node);
    if (given !== undefined) {
      return given;
    }
    name = node.inputs[TYPED_BY[node.opType] ?? 0] ?? '';
  }
  return null;
}

/** The type that an operator gives by itself; undefined where it is that of an input. */
function typeGivenBy({ opType, attributes }: GraphNode): number | null | undefined {
  const number = (name: string) => Number(attributes.get(name)?.value ?? 0) || null;
  switch (opType) {
    case 'Cast':
      return number('to');
    case 'ConstantOfShape':
      return (attributes.get('value')?.value as StoredTensor | null | undefined)?.dataType ?? DataType.Float32;
    case 'Constant':
      return attributes.has('value_float') || attributes.has('value_floats') ? DataType.Float32 : DataType.Int64;
    case 'ArgMax':
    case 'NonZero':
    case 'Shape':
    case 'Size':
      return DataType.Int64;
    default:
      return LOGICAL.has(opType) ? DataType.Bool : undefined;
  }
}
