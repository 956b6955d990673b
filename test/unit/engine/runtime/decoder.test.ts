import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import type { DecoderConfig } from '../../../../src/engine/model/config';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { readModel } from '../../../../src/engine/onnx/graph';
import { instrument } from '../../../../src/engine/onnx/instrument';
import { ModelFile } from '../../../../src/engine/onnx/model-file';
import { Decoder, type ForwardPass } from '../../../../src/engine/runtime/decoder';
import { floatData } from '../../../../src/engine/runtime/tensors';
import { buildDecoder, type DecoderShape, type DecoderTensors } from '../onnx/decoder-models';

const SMALL: DecoderShape = { layers: 3, heads: 4, headDim: 8, vocabSize: 61, contextLength: 32 };
const IDS = Uint32Array.from({ length: 19 }, (_, index) => (index * 17 + 5) % SMALL.vocabSize);

const VARIANTS: Readonly<Record<string, Partial<DecoderShape>>> = {
  'GPT-2 of an old exporter: Div, Where, Add': { scale: 'divide', mask: 'where-add' },
  'GPT-2 of an old exporter, its norm out of parts': { mask: 'where-add', decomposedNorm: true },
  'a new exporter: queries and keys scaled, mask added': { scale: 'before', mask: 'add' },
  'Where as the only mask': { mask: 'where' },
  'a scale that the graph computes': { scale: 'computed', mask: 'add' },
  'softmax between casts': { softmaxCasts: true, mask: 'add' },
  'a guard against NaN after the softmax': { nanGuard: true, scale: 'before', mask: 'add' },
  'three projections': { qkv: 'separate' },
  'grouped queries': { qkv: 'separate', kvHeads: 2, positions: 'rotary', mask: 'add', scale: 'divide' },
  'one key/value head': { qkv: 'separate', kvHeads: 1, mask: 'add' },
  'rotary positions': { positions: 'rotary', qkv: 'separate', mask: 'add' },
  softcap: { softcap: 5, mask: 'add' },
  ALiBi: { positions: 'alibi', mask: 'add' },
  'a sliding window': { slidingWindow: 4, mask: 'add' },
  'heads folded into the batch': { foldedHeads: true, mask: 'add' },
  'products as Einsum': { einsum: true, mask: 'add' },
  'parallel blocks': { parallelBlocks: true, positions: 'rotary', mask: 'add' },
  'a router beside the attention': { router: true, mask: 'add' },
  'a key/value cache': { past: true, mask: 'add', positions: 'rotary' },
  'a key/value cache and a stored triangle': { past: true, mask: 'where-add' },
  'half precision': { dataType: DataType.Float16, softmaxCasts: true, mask: 'add' },
};

describe('Decoder', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-decoder-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [name, variant] of Object.entries(VARIANTS)) {
    it(`replays the attention of ${name}`, async () => {
      const shape = { ...SMALL, ...variant };
      const file = path.join(folder, 'variant.onnx');
      const { builder, tensors } = buildDecoder(shape);
      builder.write(file);
      const decoder = await Decoder.open({ graphFile: file, config: configOf(shape), device: 'cpu' });
      try {
        assert.equal(decoder.attentionUnavailable, null);
        assert.deepEqual(decoder.rerunLayers, []);
        assert.equal(decoder.hiddenStatesUnavailable, null);
        const pass = await decoder.forward(IDS, { hiddenStates: true });
        const half = shape.dataType === DataType.Float16;
        await compareWithGraph(file, shape, tensors, pass, half ? 2e-3 : 1e-6, half ? 2e-2 : 1e-4);
        await checkInvariants(pass, half ? 2e-3 : 1e-5);
      } finally {
        await decoder.dispose();
      }
    });
  }
});

/** Against a plain run of the graph with the same tensors as outputs. */
async function compareWithGraph(
  file: string,
  shape: DecoderShape,
  { weights, stream }: DecoderTensors,
  pass: ForwardPass,
  attentionTolerance: number,
  tolerance: number,
): Promise<void> {
  const modelFile = ModelFile.open(file);
  const { bytes, folder } = instrument(readModel(modelFile), { expose: [...weights, ...stream] });
  modelFile.close();
  const session = await ort.InferenceSession.create(bytes, {
    logSeverityLevel: 3,
    extra: { session: { model_external_initializers_file_folder_path: folder } },
  });
  const feeds: Record<string, ort.Tensor> = {
    input_ids: new ort.Tensor('int64', BigInt64Array.from(IDS, BigInt), [1, IDS.length]),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(IDS.length).fill(1n), [1, IDS.length]),
  };
  for (const name of session.inputNames.filter((input) => input.startsWith('past'))) {
    feeds[name] = new ort.Tensor('float32', new Float32Array(), [1, shape.kvHeads ?? shape.heads, 0, shape.headDim]);
  }
  const results = await session.run(feeds);
  close(pass.logits, floatData(results.logits), tolerance, 'logits');
  for (const [layer, name] of stream.entries()) {
    close(pass.hiddenStates![layer], floatData(results[name]), tolerance, `hidden states ${layer}`);
  }
  const cells = IDS.length ** 2;
  for (const [layer, name] of weights.entries()) {
    const expected = floatData(results[name]);
    close(await pass.attention!.layer(layer), expected, attentionTolerance, `attention of layer ${layer}`);
    for (let head = 0; head < shape.heads; head++) {
      const alone = await pass.attention!.head(layer, head);
      close(alone, expected.subarray(head * cells, (head + 1) * cells), attentionTolerance, `head ${layer}.${head}`);
    }
  }
  await session.release();
}

async function checkInvariants({ attention, length }: ForwardPass, tolerance: number): Promise<void> {
  for (let layer = 0; layer < attention!.layers; layer++) {
    const weights = await attention!.layer(layer);
    for (let row = 0; row < weights.length / length; row++) {
      const query = row % length;
      const cells = weights.subarray(row * length, (row + 1) * length);
      assert.ok(Math.abs(cells.reduce((sum, cell) => sum + cell, 0) - 1) < tolerance, `row ${query} sums to 1`);
      assert.ok(
        cells.subarray(query + 1).every((cell) => cell === 0),
        `row ${query} sees nothing after itself`,
      );
    }
  }
}

function close(actual: Float32Array, expected: Float32Array, tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, what);
  let worst = 0;
  for (let index = 0; index < actual.length; index++) {
    worst = Math.max(worst, Math.abs(actual[index] - expected[index]));
  }
  assert.ok(worst <= tolerance, `${what} differ by ${worst}`);
}

function configOf({ layers, heads, kvHeads, headDim, vocabSize, contextLength }: DecoderShape): DecoderConfig {
  return {
    architecture: 'test',
    layers,
    heads,
    kvHeads: kvHeads ?? heads,
    headDim,
    hiddenSize: heads * headDim,
    vocabSize,
    contextLength,
    bosTokenId: null,
    eosTokenId: null,
  };
}
