import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { readModel } from '../../../../src/engine/onnx/graph';
import { TOKENS_INPUT } from '../../../../src/engine/onnx/head-columns';
import { ModelFile } from '../../../../src/engine/onnx/model-file';
import { Topology } from '../../../../src/engine/onnx/topology';
import { findUnembedding } from '../../../../src/engine/onnx/unembedding';
import { loadRuntime } from '../../../../src/engine/runtime/providers';
import { openHeadColumns } from '../../../../src/engine/runtime/slices';
import { bytesOf, GraphBuilder } from './graph-builder';

const WIDTH = 16;
const VOCABULARY = 50;
const ROWS = 3;
const IDS = [7, 49, 0, 7];

type Head = (builder: GraphBuilder, normed: string) => string;

/** A weight of eight bits, [V, D], that the graph turns into numbers. */
function integers(builder: GraphBuilder, dims: readonly number[]): string {
  const values = Int8Array.from({ length: dims[0] * dims[1] }, (_, at) => ((at * 37) % 255) - 127);
  return builder.tensor(DataType.Int8, dims, bytesOf(values));
}

const TAKEN: Readonly<Record<string, Head>> = {
  'a weight [D, V]': (b, normed) => b.op('MatMul', [normed, b.random([WIDTH, VOCABULARY], 1)]),
  'a bias': (b, normed) =>
    b.op('Add', [b.op('MatMul', [normed, b.random([WIDTH, VOCABULARY], 1)]), b.random([VOCABULARY], 1)]),
  'a bias that is written first, and one for all': (b, normed) => {
    const product = b.op('MatMul', [normed, b.random([WIDTH, VOCABULARY], 1)]);
    return b.op('Add', [b.scalar(0.5), b.op('Add', [b.random([1, 1, VOCABULARY], 1), product])]);
  },
  'the embedding matrix': (b, normed) =>
    b.op('MatMul', [normed, b.op('Transpose', [b.random([VOCABULARY, WIDTH], 1)], { perm: [1, 0] })]),
  'the embedding matrix, turned by the product': (b, normed) =>
    b.op('FusedMatMul', [normed, b.random([VOCABULARY, WIDTH], 1)], { transB: 1 }, 'com.microsoft'),
  'eight bits and a scale for each token': (b, normed) => {
    const table = b.op('Cast', [integers(b, [VOCABULARY, WIDTH])], { to: DataType.Float32 });
    const scaled = b.op('Mul', [table, b.random([VOCABULARY, 1], 0.1)]);
    return b.op('MatMul', [normed, b.op('Transpose', [scaled], { perm: [1, 0] })]);
  },
  'eight bits and one scale': (b, normed) => {
    const weight = b.op('DequantizeLinear', [integers(b, [WIDTH, VOCABULARY]), b.scalar(0.01)]);
    return b.op('MatMul', [normed, weight]);
  },
  'eight bits and a scale for each column': (b, normed) => {
    const scales = b.random([VOCABULARY], 0.1);
    return b.op('MatMul', [normed, b.op('DequantizeLinear', [integers(b, [WIDTH, VOCABULARY]), scales], { axis: -1 })]);
  },
  'eight bits and a scale for each number of the stream': (b, normed) => {
    const scales = b.random([WIDTH], 0.1);
    return b.op('MatMul', [normed, b.op('DequantizeLinear', [integers(b, [WIDTH, VOCABULARY]), scales], { axis: 0 })]);
  },
  'eight bits and a scale for each block of the stream': (b, normed) => blocked(b, normed, [2, VOCABULARY], 0),
  'half precision': (b, normed) => {
    const half = b.random([WIDTH, VOCABULARY], 1, DataType.Float16);
    return b.op('MatMul', [normed, b.op('Cast', [half], { to: DataType.Float32 })]);
  },
};

/** A scale for some numbers in a row on one axis, which operators have from opset 21 on. */
function blocked(b: GraphBuilder, normed: string, scales: readonly number[], axis: number): string {
  const attributes = { axis, block_size: [WIDTH, VOCABULARY][axis] / scales[axis] };
  const weight = [integers(b, [WIDTH, VOCABULARY]), b.random(scales, 0.1)];
  return b.op('MatMul', [normed, b.op('DequantizeLinear', weight, attributes)]);
}

const NOT_TAKEN: Readonly<Record<string, Head>> = {
  'a weight that is put together': (b, normed) => {
    const halves = [b.random([WIDTH, VOCABULARY / 2], 1), b.random([WIDTH, VOCABULARY / 2], 1)];
    return b.op('MatMul', [normed, b.op('Concat', halves, { axis: 1 })]);
  },
  'eight bits and a scale for each block of tokens': (b, normed) => blocked(b, normed, [WIDTH, 2], 1),
  'a weight of packed blocks': (b, normed) => {
    const blocks = b.tensor(DataType.Uint8, [VOCABULARY, 1, 8], new Uint8Array(VOCABULARY * 8).fill(0x5a));
    const attributes = { K: WIDTH, N: VOCABULARY, bits: 4, block_size: 16 };
    return b.op('MatMulNBits', [normed, blocks, b.random([VOCABULARY], 1)], attributes, 'com.microsoft');
  },
};

describe('the head for some tokens alone', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-columns-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function write(head: Head): string {
    const builder = new GraphBuilder(3);
    const normed = builder.input('normed', DataType.Float32, [1, 'rows', WIDTH]);
    builder.rename(head(builder, normed), 'logits');
    builder.output('logits', DataType.Float32, [1, 'rows', VOCABULARY]);
    const file = path.join(folder, 'head.onnx');
    builder.write(file, 21);
    return file;
  }

  function open(file: string) {
    const model = ModelFile.open(file);
    const unembedding = findUnembedding(new Topology(readModel(model)), 'normed', 'logits')!;
    model.close();
    return openHeadColumns(() => ModelFile.open(file), unembedding, DataType.Float32);
  }

  for (const [name, head] of Object.entries(TAKEN)) {
    it(`gives the logits of ${name}`, async () => {
      const file = write(head);
      const { Tensor, InferenceSession } = await loadRuntime();
      const rows = Float32Array.from({ length: ROWS * WIDTH }, (_, at) => Math.sin(at));
      const normed = new Tensor('float32', rows, [1, ROWS, WIDTH]);
      // As the graph says it: optimized, the runtime may round what it multiplies with integers.
      const whole = await InferenceSession.create(file, { graphOptimizationLevel: 'disabled' });
      const all = (await whole.run({ normed })).logits.data as Float32Array;
      await whole.release();

      const { session } = (await open(file))!;
      const tokens = new Tensor('int64', BigInt64Array.from(IDS, BigInt), [IDS.length]);
      const { logits } = await session.run({ normed, [TOKENS_INPUT]: tokens });
      await session.release();

      assert.deepEqual(logits.dims, [1, ROWS, IDS.length]);
      const largest = Math.max(...all.map(Math.abs));
      for (const [at, logit] of (logits.data as Float32Array).entries()) {
        const expected = all[Math.floor(at / IDS.length) * VOCABULARY + IDS[at % IDS.length]];
        assert.ok(Math.abs(logit - expected) <= 1e-5 * largest, `${logit} instead of ${expected} at ${at}`);
      }
    });
  }

  for (const [name, head] of Object.entries(NOT_TAKEN)) {
    it(`leaves ${name} to the whole head`, async () => {
      assert.equal(await open(write(head)), null);
    });
  }
});
