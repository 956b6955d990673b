import assert from 'node:assert/strict';
import * as runtime from 'onnxruntime-node';
import type { DecoderConfig } from '../../../../src/engine/model/config';
import { DataType } from '../../../../src/engine/onnx/data-type';
import type { InputRole, Signature } from '../../../../src/engine/onnx/signature';
import { buildFeeds } from '../../../../src/engine/runtime/feeds';

const CONFIG: DecoderConfig = {
  architecture: 'test',
  layers: 2,
  heads: 8,
  kvHeads: 4,
  headDim: 16,
  hiddenSize: 128,
  vocabSize: 100,
  contextLength: 64,
  bosTokenId: null,
  eosTokenId: null,
};
const IDS = Uint32Array.of(7, 8, 9);

type Dims = readonly (number | string | null)[];

function fed(role: InputRole, elementType: DataType, dims: Dims): runtime.Tensor {
  const signature: Signature = {
    inputs: [{ role, info: { name: 'x', elementType, dims } }],
    tokens: 'input_ids',
    logits: 'logits',
  };
  return buildFeeds(runtime, signature, CONFIG, IDS).x;
}

describe('feeds', () => {
  it('gives token ids in the type that the graph declares', () => {
    const wide = fed('tokens', DataType.Int64, ['batch', 'sequence']);
    assert.deepEqual([wide.type, wide.dims, wide.data], ['int64', [1, 3], BigInt64Array.of(7n, 8n, 9n)]);
    const narrow = fed('tokens', DataType.Int32, [1, 'sequence']);
    assert.deepEqual([narrow.type, narrow.dims, narrow.data], ['int32', [1, 3], Int32Array.of(7, 8, 9)]);
  });

  it('gives masks, positions, token types and switches', () => {
    assert.deepEqual(fed('attention-mask', DataType.Int64, [1, 'T']).data, BigInt64Array.of(1n, 1n, 1n));
    assert.deepEqual(fed('attention-mask', DataType.Float32, [1, 'T']).data, Float32Array.of(1, 1, 1));
    assert.deepEqual(fed('attention-mask', DataType.Bool, [1, 'T']).data, Uint8Array.of(1, 1, 1));
    assert.deepEqual(fed('positions', DataType.Int64, [1, 'T']).data, BigInt64Array.of(0n, 1n, 2n));
    assert.deepEqual(fed('cache-positions', DataType.Int64, ['T']).dims, [3]);
    assert.deepEqual(fed('token-types', DataType.Int64, [1, 'T']).data, BigInt64Array.of(0n, 0n, 0n));
    assert.deepEqual(fed('use-cache', DataType.Bool, [1]).data, Uint8Array.of(0));
    assert.deepEqual(fed('logits-to-keep', DataType.Int64, []).dims, []);
  });

  const PASTS: readonly (readonly [Dims, readonly number[]])[] = [
    [
      ['batch_size', 4, 'past_sequence_length', 16],
      [1, 4, 0, 16],
    ],
    [
      ['batch_size', 'num_heads', 'past_sequence_length', 16],
      [1, 4, 0, 16],
    ],
    [
      [2, 'batch', 4, 'past_seq', 16],
      [2, 1, 4, 0, 16],
    ],
    [
      ['batch_size_x_num_heads', 'past_len', 16],
      [4, 0, 16],
    ],
    [
      [null, 4, null, 16],
      [1, 4, 0, 16],
    ],
    [
      ['B', 4, 'P', 16],
      [1, 4, 0, 16],
    ],
    [
      [1, 4, 'P', 16],
      [1, 4, 0, 16],
    ],
  ];
  for (const [declared, dims] of PASTS) {
    it(`empties a cache of [${declared}]`, () => {
      const past = fed('past', DataType.Float32, declared);
      assert.deepEqual([past.type, past.dims, past.size], ['float32', dims, 0]);
    });
  }

  it('empties a cache of half precision', () => {
    assert.equal(fed('past', DataType.Float16, [1, 4, 'past', 16]).type, 'float16');
  });

  it('refuses a cache that cannot be empty', () => {
    assert.throws(
      () => fed('past', DataType.Float32, [1, 4, 128, 16]),
      /"x" \[1, 4, 128, 16\] has no axis that can be empty/,
    );
  });
});
