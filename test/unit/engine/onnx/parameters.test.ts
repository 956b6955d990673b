import assert from 'node:assert/strict';
import { DataType } from '../../../../src/engine/onnx/data-type';
import type { GraphNode } from '../../../../src/engine/onnx/graph';
import { countParameters } from '../../../../src/engine/onnx/parameters';
import type { StoredTensor } from '../../../../src/engine/onnx/tensor';

const RECORD = { offset: 0, length: 0 };

function tensor(name: string, dataType: DataType, dims: readonly number[]): [string, StoredTensor] {
  return [name, { name, dataType, dims, data: { kind: 'records' }, record: RECORD }];
}

function node(opType: string, inputs: readonly string[], attributes: Record<string, number> = {}): GraphNode {
  const entries = Object.entries(attributes).map(([name, value]) => [name, { value, record: RECORD }] as const);
  return { opType, domain: '', name: '', inputs, outputs: ['y'], attributes: new Map(entries), record: RECORD };
}

function count(nodes: readonly GraphNode[], tensors: readonly [string, StoredTensor][]) {
  return countParameters({ nodes, tensors: new Map(tensors) });
}

describe('parameters', () => {
  it('are the numbers of floating-point weights, without single numbers', () => {
    const weights = [tensor('w', DataType.Float16, [8, 4]), tensor('b', DataType.Float16, [4])];
    const others = [tensor('eps', DataType.Float32, []), tensor('axes', DataType.Int64, [2])];
    assert.deepEqual(count([], [...weights, ...others]), { count: 36, precision: 'float16' });
  });

  it('are what quantised weights stand for, and not their scales', () => {
    const eight = [
      tensor('w', DataType.Uint8, [8, 4]),
      tensor('s', DataType.Float32, [4]),
      tensor('z', DataType.Uint8, [4]),
    ];
    assert.deepEqual(count([node('DequantizeLinear', ['w', 's', 'z'])], eight), { count: 32, precision: 'int8' });
    const four = [
      tensor('w', DataType.Uint8, [32, 2, 8]),
      tensor('s', DataType.Float32, [64]),
      tensor('b', DataType.Float32, [32]),
    ];
    const product = node('MatMulNBits', ['x', 'w', 's', '', '', 'b'], { K: 30, N: 32, bits: 4 });
    assert.deepEqual(count([product], four), { count: 30 * 32 + 32, precision: '4-bit' });
    const rows = node('GatherBlockQuantized', ['w', 'ids', 's'], { bits: 4 });
    assert.deepEqual(count([rows], four.slice(0, 2)), { count: 1024, precision: '4-bit' });
    const signed = [tensor('w_int8', DataType.Int8, [8, 4]), tensor('w_scale', DataType.Float32, [8, 1])];
    assert.deepEqual(count([node('Cast', ['w_int8']), node('Mul', ['y', 'w_scale'])], signed), {
      count: 32,
      precision: 'int8',
    });
  });

  it('are neither masks nor tables of rotations', () => {
    const tensors = [tensor('mask', DataType.Uint8, [1, 1, 32, 32]), tensor('cos', DataType.Float32, [32, 4])];
    const attention = node('GroupQueryAttention', ['q', 'k', 'v', '', '', 'a', 'b', 'cos']);
    assert.equal(count([attention, node('Where', ['mask'])], tensors).count, 0);
  });
});
