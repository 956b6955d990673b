import { DataType, isFloat } from './data-type';
import { constantTensor, type Graph, type GraphNode } from './graph';
import type { StoredTensor } from './tensor';

/** How many numbers a model's weights are, and how most of them are stored. */
export interface Parameters {
  readonly count: number;
  readonly precision: Precision;
}

export type Precision = 'float32' | 'float16' | 'bfloat16' | 'float64' | 'int8' | '4-bit' | '2-bit';

/** Inputs of operators with quantised weights: which holds the weights, and which only say how to read them. */
interface QuantizedInputs {
  readonly weights: readonly number[];
  readonly scales: readonly number[];
}

const QUANTIZED: Readonly<Record<string, QuantizedInputs>> = {
  DequantizeLinear: { weights: [0], scales: [1, 2] },
  ConvInteger: { weights: [1], scales: [2, 3] },
  MatMulInteger: { weights: [1], scales: [2, 3] },
  QLinearMatMul: { weights: [3], scales: [1, 2, 4, 5, 6, 7] },
  DynamicQuantizeMatMul: { weights: [1], scales: [2, 3] },
  MatMulIntegerToFloat: { weights: [1], scales: [2, 3, 4, 5] },
  MatMulNBits: { weights: [1], scales: [2, 3, 4] },
  GatherBlockQuantized: { weights: [0], scales: [2, 3] },
  QAttention: { weights: [1], scales: [3, 4, 6, 7] },
};

/** Tables that are computed from nothing but positions. */
const TABLES: Readonly<Record<string, readonly number[]>> = {
  GroupQueryAttention: [7, 8],
  RotaryEmbedding: [1, 2, 3],
};

const SCALE_NAME = /[._](scales?|zero_points?|zp)$/i;

/** A graph's weights by name, those that its Constant nodes give included, and the nodes that read them. */
export interface StoredWeights {
  readonly nodes: readonly GraphNode[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * Counts the numbers in a model's weights: quantised ones by what they stand for, scales and tables of positions not at all,
 * single numbers neither.
 */
export function countParameters({ nodes, tensors }: StoredWeights): Parameters {
  const roles = rolesOf(nodes);
  const counts = new Map<Precision, number>();
  for (const [name, tensor] of tensors) {
    const role = roles.get(name);
    const stored = role === 'none' || SCALE_NAME.test(name) ? null : storageOf(tensor, role);
    if (stored !== null && stored.count > 1) {
      counts.set(stored.precision, (counts.get(stored.precision) ?? 0) + stored.count);
    }
  }
  const [largest] = [...counts].sort(([, a], [, b]) => b - a);
  return {
    count: [...counts.values()].reduce((sum, count) => sum + count, 0),
    precision: largest?.[0] ?? 'float32',
  };
}

/** What a weight is to the operators that read it: `none` is no weight, a number says how many bits each takes. */
type Role = 'none' | 'quantized' | { readonly bits: number; readonly count: number | null };

function rolesOf(nodes: readonly GraphNode[]): ReadonlyMap<string, Role> {
  const roles = new Map<string, Role>();
  for (const { opType, inputs, attributes } of nodes) {
    const quantized = QUANTIZED[opType];
    for (const index of quantized?.scales ?? TABLES[opType] ?? []) {
      if (inputs[index]) {
        roles.set(inputs[index], 'none');
      }
    }
    for (const index of quantized?.weights ?? []) {
      const number = (name: string, otherwise: number) => Number(attributes.get(name)?.value ?? otherwise);
      const isPacked = opType === 'MatMulNBits' || opType === 'GatherBlockQuantized';
      const count = opType === 'MatMulNBits' ? number('K', 0) * number('N', 0) : null;
      roles.set(inputs[index], isPacked ? { bits: number('bits', 4), count } : 'quantized');
    }
  }
  return roles;
}

function storageOf(
  { dataType, dims }: StoredTensor,
  role: Role | undefined,
): { readonly precision: Precision; readonly count: number } | null {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const isByte = dataType === DataType.Int8 || dataType === DataType.Uint8;
  if (typeof role === 'object') {
    const precision = role.bits <= 2 ? '2-bit' : role.bits <= 4 ? '4-bit' : 'int8';
    return { precision, count: role.count ?? (isByte ? (count * 8) / role.bits : count) };
  }
  if (isFloat(dataType)) {
    return { precision: floatName(dataType), count };
  }
  if (dataType === DataType.Int4 || dataType === DataType.Uint4) {
    return { precision: '4-bit', count };
  }
  // Bytes without such an operator are weights where they are signed and not a list; masks are unsigned.
  const isWeight = role === 'quantized' || (dataType === DataType.Int8 && dims.length >= 2);
  return isByte && isWeight ? { precision: 'int8', count } : null;
}

function floatName(dataType: number): Precision {
  switch (dataType) {
    case DataType.Float16:
      return 'float16';
    case DataType.BFloat16:
      return 'bfloat16';
    case DataType.Float64:
      return 'float64';
    default:
      return 'float32';
  }
}

export function weightsOf({ nodes, initializers }: Graph): StoredWeights {
  const tensors = new Map(initializers);
  for (const node of nodes) {
    const tensor = constantTensor(node);
    if (tensor !== null) {
      tensors.set(node.outputs[0], tensor);
    }
  }
  return { nodes, tensors };
}
