import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { DecoderConfig } from '../../src/engine/model/config';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import type { Device } from '../../src/protocol/device';
import { buildDecoder, configOf, type DecoderShape } from '../unit/engine/onnx/decoder-models';

const GOLDEN = path.join(root, 'test', 'parity', 'golden', 'models');
const DEFAULT_MODEL = path.join(root, 'models', 'headlight-small');

/** Of the largest logit, and of an attention weight: see docs/devices.md. */
const TOLERANCE = 1e-4;

const DECOMPOSED: DecoderShape = {
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  vocabSize: 97,
  contextLength: 96,
  qkv: 'separate',
  positions: 'rotary',
  mask: 'add',
  past: true,
};

/** Everything that a device could have an influence on. */
interface Outcome {
  readonly logits: Float32Array;
  readonly hidden: readonly Float32Array[];
  readonly attention: readonly Float32Array[];
  readonly head: Float32Array;
  readonly steps: readonly Float32Array[];
  readonly cache: string;
}

describe('WebGPU on a software driver gives the processor’s numbers', () => {
  const { qkv: _, positions: __, mask: ___, ...grouped } = DECOMPOSED;
  for (const [name, shape] of [
    ['a decomposed graph', DECOMPOSED],
    ['a graph with GroupQueryAttention', { ...grouped, fusedAttention: 'open' }],
  ] as const) {
    it(`of ${name}, over 50 cached steps`, async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'headlight-devices-'));
      try {
        const graphFile = path.join(folder, 'model.onnx');
        buildDecoder(shape).builder.write(graphFile);
        await agrees({ graphFile, config: configOf(shape) }, 24, 50);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  it('of a model builder’s GroupQueryAttention, which turns queries and keys itself', async () => {
    await agrees(await modelIn(path.join(GOLDEN, 'llama-genai-builder-fp32')), 14, 16);
  });

  it('of the default model, over 50 cached steps', async function () {
    // A second to several for each run, by the processor.
    this.timeout(900_000);
    await agrees(await modelIn(DEFAULT_MODEL), 16, 50);
  });

  for (const name of [
    'gpt2-onnxruntimes-gpt-2-script',
    'gpt2-optimum-1-20-merged',
    'gpt2-torch-onnx-traced',
    'llama-genai-builder-fp32-for-cuda',
  ]) {
    it(`of ${name}`, async () => {
      await agrees(await modelIn(path.join(GOLDEN, name)), 12, 0);
    });
  }

  it('in the trace of the panel', async () => {
    const [cpu, webgpu] = [await shown('cpu'), await shown('webgpu')];
    assert.deepEqual(webgpu.texts, cpu.texts);
    near(webgpu.surprisals, cpu.surprisals, 1e-3, 'surprisals in bits');
    assert.deepEqual(webgpu.candidates, cpu.candidates);
    near(webgpu.probabilities, cpu.probabilities, TOLERANCE, 'probabilities');
    near(webgpu.matrix, cpu.matrix, TOLERANCE, 'the head on the screen');
    near(webgpu.statistics, cpu.statistics, TOLERANCE, 'statistics of the heads');
    // A shade of 255 more or less where it is rounded.
    near(webgpu.thumbnails, cpu.thumbnails, 1, 'thumbnails');
  });
});

async function modelIn(directory: string) {
  const { graphFile, config } = await openModelFolder(directory);
  return { graphFile, config };
}

async function agrees(
  model: { readonly graphFile: string; readonly config: DecoderConfig },
  length: number,
  steps: number,
): Promise<void> {
  const cpu = await outcome(model, 'cpu', length, steps);
  const webgpu = await outcome(model, 'webgpu', length, steps);
  assert.equal(webgpu.cache, cpu.cache, 'how the cache is kept');
  relative(webgpu.logits, cpu.logits, 'logits');
  for (const [layer, weights] of cpu.attention.entries()) {
    near(webgpu.attention[layer], weights, TOLERANCE, `attention of layer ${layer}`);
  }
  assert.equal(cpu.attention.length, model.config.layers);
  near(webgpu.head, cpu.head, TOLERANCE, 'one head alone');
  for (const [depth, stream] of cpu.hidden.entries()) {
    relative(webgpu.hidden[depth], stream, `the stream at depth ${depth}`);
  }
  assert.equal(webgpu.steps.length, steps);
  for (const [at, logits] of cpu.steps.entries()) {
    relative(webgpu.steps[at], logits, `logits of step ${at}`);
  }
}

async function outcome(
  model: { readonly graphFile: string; readonly config: DecoderConfig },
  device: Device,
  length: number,
  stepCount: number,
): Promise<Outcome> {
  const decoder = await Decoder.open({ ...model, device });
  try {
    assert.equal(decoder.device, device);
    const { vocabSize } = model.config;
    const ids = Array.from({ length: length + stepCount }, (_, index) => (index * 7919 + 13) % vocabSize);
    const prompt = ids.slice(0, length);
    const { logits, attention, hiddenStates } = await decoder.forward(Uint32Array.from(prompt), { hiddenStates: true });
    const layers: Float32Array[] = [];
    for (let layer = 0; layer < attention!.layers; layer++) {
      layers.push(await attention!.layer(layer));
    }
    const head = await attention!.head(attention!.layers - 1, 1);
    const steps: Float32Array[] = [];
    let cache = 'unused';
    if (stepCount > 0) {
      const decoding = await decoder.decoding();
      cache = decoding.kind;
      assert.notEqual(cache, 'none');
      decoding.truncate(0);
      await decoding.read(prompt, 1);
      for (const id of ids.slice(length)) {
        steps.push((await decoding.read([id], 1)).logits[0].slice());
      }
    }
    return { logits, hidden: hiddenStates!, attention: layers, head, steps, cache };
  } finally {
    await decoder.dispose();
  }
}

/** What the panel would show of a passage. */
async function shown(device: Device) {
  const inspector = await Inspector.open({ directory: path.join(GOLDEN, 'llama-genai-builder-fp32'), device });
  try {
    const trace = await inspector.trace('the cat sat on the mat');
    assert.equal(trace.device.device, device);
    assert.equal(trace.attention.available, true);
    const traceId = trace.id;
    const all = { from: 0, to: trace.tokens.length };
    const overview = await inspector.headOverview({ traceId, resolution: 32 });
    const at = { traceId, layer: 1, head: 1, queries: all, keys: all, resolution: 64 };
    const sampler = { temperature: 1, topK: 0, topP: 1, minP: 0 };
    const { candidates } = inspector.candidates({ traceId, sampler, limit: 8, seed: null });
    return {
      texts: trace.tokens.map(({ text }) => text),
      surprisals: trace.tokens.map(({ surprisal }) => surprisal ?? 0),
      candidates: candidates.map(({ id }) => id),
      probabilities: candidates.map(({ probability }) => probability),
      matrix: (await inspector.headMatrix(at)).weights,
      thumbnails: overview.thumbnails,
      statistics: Object.values(overview.statistics).flatMap((column) => [...(column as Float32Array)]),
    };
  } finally {
    await inspector.dispose();
  }
}

/** Within the tolerance as a part of the largest number. */
function relative(actual: Float32Array, expected: Float32Array, what: string): void {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  near(actual, expected, TOLERANCE * largest, what);
}

function near(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, what);
  let worst = 0;
  for (let index = 0; index < expected.length; index++) {
    assert.equal(Number.isNaN(actual[index]), Number.isNaN(expected[index]), what);
    worst = Math.max(worst, Math.abs((actual[index] || 0) - (expected[index] || 0)));
  }
  assert.ok(worst <= tolerance, `${what} differ by ${worst}, ${tolerance} is allowed`);
}
