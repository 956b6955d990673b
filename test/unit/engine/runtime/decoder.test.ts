import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import { type DecoderConfig, parseDecoderConfig } from '../../../../src/engine/model/config';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { readModel } from '../../../../src/engine/onnx/graph';
import { instrument } from '../../../../src/engine/onnx/instrument';
import { ModelFile } from '../../../../src/engine/onnx/model-file';
import { Decoder, type ForwardPass } from '../../../../src/engine/runtime/decoder';
import type { PredictionScore } from '../../../../src/engine/runtime/prediction-scores';
import { floatData } from '../../../../src/engine/runtime/tensors';
import type { Device } from '../../../../src/protocol/device';
import { HeadlightError } from '../../../../src/protocol/errors';
import { buildDecoder, configOf, type DecoderShape, type DecoderTensors } from '../onnx/decoder-models';
import { scoresInFloat64 } from './scores-in-float64';

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
  'tokens folded into the batch for the feed-forward': { foldedTokens: true },
  'products as Einsum': { einsum: true, mask: 'add' },
  'parallel blocks': { parallelBlocks: true, positions: 'rotary', mask: 'add' },
  'a router beside the attention': { router: true, mask: 'add' },
  'a key/value cache': { past: true, mask: 'add', positions: 'rotary' },
  'a key/value cache and a stored triangle': { past: true, mask: 'where-add' },
  'half precision': { dataType: DataType.Float16, softmaxCasts: true, mask: 'add' },
};

/** Each has logits of another kind, or a graph that they are reached through in another way. */
const SCORED = [
  'GPT-2 of an old exporter: Div, Where, Add',
  'tokens folded into the batch for the feed-forward',
  'a key/value cache',
  'half precision',
];

/** Each has masks, keys or heads in another form. */
const LONG = [
  'GPT-2 of an old exporter: Div, Where, Add',
  'a new exporter: queries and keys scaled, mask added',
  'grouped queries',
  'one key/value head',
  'ALiBi',
  'a sliding window',
  'heads folded into the batch',
  'products as Einsum',
  'half precision',
];

/** Their heads cannot be told apart. */
const APART: ReadonlySet<string> = new Set(['heads folded into the batch', 'products as Einsum']);

describe('Decoder', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-decoder-'));
    file = path.join(folder, 'model.onnx');
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [name, variant] of Object.entries(VARIANTS)) {
    it(`hands out and replays the attention of ${name}`, async () => {
      const shape = { ...SMALL, ...variant };
      const { builder, tensors } = buildDecoder(shape);
      builder.write(file);
      const decoder = await Decoder.open({ graphFile: file, config: configOf(shape), device: 'cpu' });
      try {
        assert.equal(decoder.attentionUnavailable, null);
        assert.deepEqual(decoder.rerunLayers, []);
        assert.equal(decoder.hiddenStatesUnavailable, null);
        const half = shape.dataType === DataType.Float16;
        for (const replaysAttention of [false, true]) {
          const pass = await decoder.forward(IDS, { hiddenStates: true, replaysAttention });
          await compareWithGraph(file, shape, tensors, pass, half ? 2e-3 : 1e-6, half ? 2e-2 : 1e-4);
          await checkInvariants(pass, half ? 2e-3 : 1e-5);
        }
      } finally {
        await decoder.dispose();
      }
    });
  }

  for (const name of SCORED) {
    it(`scores the predictions of ${name}`, async () => {
      await opened(VARIANTS[name], async (decoder) => {
        const { logits, attention, stream } = await decoder.forward(IDS, { hiddenStates: true });
        const targets = [...IDS.subarray(1), 0];
        const expected = scoresInFloat64(logits, targets);
        const read = await decoder.read(IDS, { hiddenStates: true });
        compareScores(read.scores, expected);
        assert.deepEqual(read.lastLogits, logits.slice(-SMALL.vocabSize));
        assert.deepEqual(read.stream.map(floatData), stream.map(floatData));
        assert.deepEqual(await read.attention!.layer(1), await attention!.layer(1));
        const some = await decoder.score(IDS, { from: 4, to: 11 });
        compareScores(some.scores, expected.slice(4, 11));
      });
    });
  }

  it('scores the predictions of a graph of older operators, whose logits it hands out', async () => {
    const { builder } = buildDecoder({ ...SMALL, decomposedNorm: true, mask: 'where' });
    builder.write(file, 12);
    const decoder = await Decoder.open({ graphFile: file, config: configOf(SMALL), device: 'cpu' });
    try {
      const { logits } = await decoder.forward(IDS);
      const expected = scoresInFloat64(logits, [...IDS.subarray(1), 0]);
      const { scores, lastLogits } = await decoder.read(IDS);
      compareScores(scores, expected);
      assert.deepEqual(lastLogits, logits.slice(-SMALL.vocabSize));
      compareScores((await decoder.score(IDS, { from: 4, to: 11 })).scores, expected.slice(4, 11));
    } finally {
      await decoder.dispose();
    }
  });

  for (const name of LONG) {
    it(`replays a long text by blocks of queries: ${name}`, async () => {
      const ids = Uint32Array.from({ length: 520 }, (_, index) => (index * 17 + 5) % SMALL.vocabSize);
      const shape = { ...SMALL, ...VARIANTS[name], layers: 1, contextLength: ids.length };
      const half = shape.dataType === DataType.Float16;
      await opened(shape, async (decoder, tensors) => {
        assert.equal(hasBlocks(decoder), !APART.has(name));
        const pass = await decoder.forward(ids, { hiddenStates: true, replaysAttention: true });
        await compareWithGraph(file, shape, tensors, pass, half ? 5e-3 : 1e-5, half ? 5e-2 : 1e-3, ids);
      });
    });
  }

  async function opened<T>(
    variant: Partial<DecoderShape>,
    use: (decoder: Decoder, tensors: DecoderTensors) => Promise<T>,
    config: Partial<DecoderConfig> = {},
  ): Promise<T> {
    const shape = { ...SMALL, ...variant };
    const { builder, tensors } = buildDecoder(shape);
    builder.write(file);
    const decoder = await Decoder.open({ graphFile: file, config: { ...configOf(shape), ...config }, device: 'cpu' });
    try {
      return await use(decoder, tensors);
    } finally {
      await decoder.dispose();
    }
  }

  it('runs the graph again for a layer whose bias is as large as its weights', async () => {
    await opened({ cellBias: true, mask: 'add' }, async (decoder, tensors) => {
      assert.equal(decoder.attentionUnavailable, null);
      assert.deepEqual(decoder.rerunLayers, [0, 1, 2]);
      const pass = await decoder.forward(IDS, { hiddenStates: true, replaysAttention: true });
      assert.equal(pass.attention!.byteLength, 0);
      await compareWithGraph(file, { ...SMALL, cellBias: true }, tensors, pass, 1e-6, 1e-4);
      await checkInvariants(pass, 1e-5);
    });
  });

  it('keeps queries and keys, and one mask for all layers', async () => {
    for (const mask of ['add', 'where'] as const) {
      await opened({ mask }, async (decoder) => {
        const { attention } = await decoder.forward(IDS, { replaysAttention: true });
        const { layers, heads, headDim } = SMALL;
        const projections = layers * 2 * heads * headDim * IDS.length * 4;
        const cellBytes = mask === 'add' ? 4 : 1;
        const triangle = IDS.length ** 2 * cellBytes;
        assert.ok(attention!.byteLength >= projections + triangle);
        assert.ok(attention!.byteLength < projections + triangle + 200, `${attention!.byteLength}`);
      });
    }
  });

  it('reads from one token up to the whole context', async () => {
    await opened({ past: true, mask: 'where-add' }, async (decoder) => {
      for (const length of [1, 2, SMALL.contextLength]) {
        const ids = Uint32Array.from({ length }, (_, index) => index % SMALL.vocabSize);
        const pass = await decoder.forward(ids);
        assert.equal(pass.length, length);
        assert.equal(pass.logits.length, length * SMALL.vocabSize);
        assert.equal(pass.hiddenStates, null);
        await checkInvariants(pass, 1e-5);
      }
    });
  });

  it('says what it is', async () => {
    await opened({}, async (decoder) => {
      assert.equal(decoder.device, 'cpu');
      const { layers, heads, headDim, vocabSize, contextLength } = SMALL;
      const width = heads * headDim;
      const block = 12 * width * width + (3 + 1 + 4 + 1) * width + 4 * width;
      assert.equal(decoder.parameters, (vocabSize + contextLength) * width + layers * block + 2 * width);
    });
  });

  it('works without attention, and says why there is none', async () => {
    await opened({ fusedAttention: 'closed' }, async (decoder) => {
      assert.match(decoder.attentionUnavailable!, /GroupQueryAttention/);
      const pass = await decoder.forward(IDS, { hiddenStates: true });
      assert.equal(pass.attention, null);
      assert.equal(pass.hiddenStates!.length, SMALL.layers + 1);
      assert.equal(pass.logits.length, IDS.length * SMALL.vocabSize);
    });
    await opened({}, async (decoder) => assert.match(decoder.attentionUnavailable!, /each of the 2 heads/), {
      heads: 2,
    });
    await opened({}, async (decoder) => assert.match(decoder.attentionUnavailable!, /config\.json says 4 layers/), {
      layers: 4,
    });
  });

  it('computes the attention of a fused operator again from what went into it', async () => {
    await opened({ fusedAttention: 'open', kvHeads: 2, heads: 4 }, async (decoder) => {
      assert.equal(decoder.attentionUnavailable, null);
      assert.deepEqual(decoder.rerunLayers, []);
      const pass = await decoder.forward(IDS, { hiddenStates: true });
      await checkInvariants(pass, 1e-5);
    });
  });

  const fails = (code: HeadlightError['code'], sentence: RegExp) => (error: HeadlightError) => {
    assert.equal(error.code, code, error.stack);
    assert.match(error.message, sentence);
    return true;
  };

  it('refuses what it cannot run, each in a sentence', async () => {
    await opened({}, async (decoder) => {
      await assert.rejects(decoder.forward(new Uint32Array()), fails('text-empty', /no tokens/));
      await assert.rejects(
        decoder.forward(new Uint32Array(33)),
        fails('text-too-long', /33 tokens are more than the 32/),
      );
      await assert.rejects(decoder.forward(Uint32Array.of(1, 61)), fails('argument-invalid', /no token 61/));
      const { attention } = await decoder.forward(IDS);
      await assert.rejects(attention!.head(0, 4), fails('argument-invalid', /no head 4; each layer has 4/));
      await assert.rejects(attention!.layer(3), fails('argument-invalid', /no layer 3; the model has 3/));
    });
  });

  it('refuses models that are not what the configuration says, each in a sentence', async () => {
    const mismatch = fails('tokenizer-mismatch', /logits for 61 tokens but config\.json says vocab_size 60/);
    await assert.rejects(
      opened({}, async () => {}, { vocabSize: 60 }),
      mismatch,
    );
    const open = (graphFile: string, device: Device = 'cpu') =>
      Decoder.open({ graphFile, config: configOf(SMALL), device });
    await assert.rejects(open(`${file}.absent`), fails('model-missing', /is not there/));
    truncateSync(file, 10_000);
    await assert.rejects(open(file), fails('model-invalid', /incomplete/));
  });

  it('refuses a device that is not there', async () => {
    const device = process.platform === 'win32' ? 'coreml' : 'dml';
    buildDecoder(SMALL).builder.write(file);
    await assert.rejects(
      Decoder.open({ graphFile: file, config: configOf(SMALL), device }),
      fails('device-unavailable', /^(Core ML|DirectML) is not part of the runtime for /),
    );
  });

  it('answers to mutations of a model with a result or a sentence', async () => {
    const shape: DecoderShape = { ...SMALL, layers: 1, heads: 2, headDim: 4, vocabSize: 17, mask: 'add' };
    const sound = Buffer.concat(buildDecoder(shape).builder.chunks());
    let seed = 4_711;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let mutation = 0; mutation < 60; mutation++) {
      const mutant = Buffer.from(sound);
      mutant[random(mutant.length)] = random(256);
      writeFileSync(file, mutant);
      try {
        const decoder = await Decoder.open({ graphFile: file, config: configOf(shape), device: 'cpu' });
        await decoder.dispose();
      } catch (error) {
        assert.ok(error instanceof HeadlightError, `${(error as Error).stack}`);
      }
    }
  });

  it('closes with its passes', async () => {
    const { attention } = await opened({}, (decoder) => decoder.forward(IDS, { replaysAttention: true }));
    await assert.rejects(attention!.layer(0), fails('internal', /cannot be recomputed .* inspect it again/));
  });

  it('hands out the weights of a short passage, and keeps queries and keys of a longer one', async () => {
    const shape = { layers: 2, heads: 8, headDim: 2, contextLength: 1000 };
    await opened(shape, async (decoder) => {
      const { layers, heads } = shape;
      const read = (length: number) => decoder.forward(Uint32Array.from({ length }, (_, i) => i % SMALL.vocabSize));
      const short = await read(100);
      assert.equal(short.attention!.byteLength, layers * heads * 100 ** 2 * 4);
      const long = await read(1000);
      assert.ok(long.attention!.byteLength < (layers * heads * 1000 ** 2 * 4) / 8);
      // A text of which another is the beginning has the same weights there, in whichever way.
      const [some, all] = [await short.attention!.head(1, 3), await long.attention!.head(1, 3)];
      for (let query = 0; query < 100; query++) {
        const row = all.subarray(query * 1000, query * 1000 + 100);
        close(some.subarray(query * 100, (query + 1) * 100), row, 1e-6, `row ${query}`);
      }
      for (const pass of [short, long]) {
        await assert.rejects(pass.attention!.head(1, 8), fails('argument-invalid', /no head 8; each layer has 8/));
        await assert.rejects(pass.attention!.layer(2), fails('argument-invalid', /no layer 2; the model has 2/));
        await assert.rejects(pass.attention!.eachHead(-1).next(), fails('argument-invalid', /no layer -1/));
      }
    });
  });
});

describe('Decoder on the default model', () => {
  const directory = path.resolve('models/headlight-small');
  let decoder: Decoder;
  before(async function () {
    this.timeout(60_000);
    const json: unknown = JSON.parse(readFileSync(path.join(directory, 'config.json'), 'utf8'));
    const config = parseDecoderConfig(json, directory);
    decoder = await Decoder.open({ graphFile: path.join(directory, 'model.onnx'), config, device: 'cpu' });
  });
  after(() => decoder.dispose());

  it('finds everything and replays it', async () => {
    assert.equal(decoder.attentionUnavailable, null);
    assert.equal(decoder.hiddenStatesUnavailable, null);
    assert.deepEqual(decoder.rerunLayers, []);
    const ids = Uint32Array.from({ length: 40 }, (_, index) => (index * 7919) % 50_000);
    const pass = await decoder.forward(ids, { hiddenStates: true });
    const replayed = await decoder.forward(ids, { replaysAttention: true });
    assert.equal(pass.hiddenStates!.length, pass.attention!.layers + 1);
    await checkInvariants(pass, 1e-5);
    const { layers, heads } = pass.attention!;
    for (let layer = 0; layer < layers; layer++) {
      const whole = await pass.attention!.layer(layer);
      for (let head = 0; head < heads; head++) {
        const cells = ids.length ** 2;
        for (const { attention } of [pass, replayed]) {
          const alone = await attention!.head(layer, head);
          close(alone, whole.subarray(head * cells, (head + 1) * cells), 1e-6, `head ${layer}.${head}`);
        }
      }
    }
  });

  it('gives a prefix the logits it has in the whole', async () => {
    const ids = Uint32Array.from({ length: 24 }, (_, index) => (index * 104_729) % 50_000);
    const whole = await decoder.forward(ids);
    const prefix = await decoder.forward(ids.subarray(0, 9));
    close(prefix.logits, whole.logits.subarray(0, prefix.logits.length), 1e-4, 'logits');
  });
});

/** Whether the first layer has proved at load that it can be computed by blocks: without, all is right and slow. */
function hasBlocks(decoder: Decoder): boolean {
  const { attention } = Reflect.get(decoder, 'parts') as { attention: { layers: readonly { blocks: unknown }[] } };
  return attention.layers[0].blocks !== null;
}

/** Against a plain run of the graph with the same tensors as outputs. */
async function compareWithGraph(
  file: string,
  shape: DecoderShape,
  { weights, stream }: DecoderTensors,
  pass: ForwardPass,
  attentionTolerance: number,
  tolerance: number,
  ids = IDS,
): Promise<void> {
  const modelFile = ModelFile.open(file);
  const { bytes, folder } = instrument(readModel(modelFile), { expose: [...weights, ...stream] });
  modelFile.close();
  const session = await ort.InferenceSession.create(bytes, {
    logSeverityLevel: 3,
    extra: { session: { model_external_initializers_file_folder_path: folder } },
  });
  const feeds: Record<string, ort.Tensor> = {
    input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(ids.length).fill(1n), [1, ids.length]),
  };
  for (const name of session.inputNames.filter((input) => input.startsWith('past'))) {
    feeds[name] = new ort.Tensor('float32', new Float32Array(), [1, shape.kvHeads ?? shape.heads, 0, shape.headDim]);
  }
  const results = await session.run(feeds);
  close(pass.logits, floatData(results.logits), tolerance, 'logits');
  for (const [layer, name] of stream.entries()) {
    close(pass.hiddenStates![layer], floatData(results[name]), tolerance, `hidden states ${layer}`);
  }
  const cells = ids.length ** 2;
  for (const [layer, name] of weights.entries()) {
    const expected = floatData(results[name]);
    close(await pass.attention!.layer(layer), expected, attentionTolerance, `attention of layer ${layer}`);
    for (let head = 0; head < shape.heads; head++) {
      const alone = await pass.attention!.head(layer, head);
      close(alone, expected.subarray(head * cells, (head + 1) * cells), attentionTolerance, `head ${layer}.${head}`);
    }
    let head = 0;
    for await (const alone of pass.attention!.eachHead(layer)) {
      const whole = expected.subarray(head * cells, (head + 1) * cells);
      close(alone, whole, attentionTolerance, `head ${layer}.${head++} in turn`);
    }
    assert.equal(head, shape.heads);
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

function compareScores(actual: readonly PredictionScore[], expected: readonly PredictionScore[]): void {
  assert.equal(actual.length, expected.length);
  for (const [row, { logProbability, rank, entropy }] of expected.entries()) {
    assert.ok(Math.abs(actual[row].logProbability - logProbability) < 1e-5, `probability of row ${row}`);
    assert.equal(actual[row].rank, rank, `rank of row ${row}`);
    assert.ok(Math.abs(actual[row].entropy - entropy) < 1e-5, `entropy of row ${row}`);
  }
}
