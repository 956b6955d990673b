import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type {
  Arithmetic,
  Device,
  DeviceDifferences,
  DeviceProof,
  DeviceTimes,
  OperatorProfile,
} from '../../protocol/device';
import type { ProveDeviceParams } from '../../protocol/engine';
import { loadTokenizer } from '../model/load-tokenizer';
import { arithmeticOf } from '../onnx/arithmetic';
import { readModel } from '../onnx/graph';
import { ModelFile } from '../onnx/model-file';
import { Decoder, type DecoderOptions } from '../runtime/decoder';
import { openModelFolder } from '../runtime/open-folder';
import { readProfile } from '../runtime/operator-profile';
import { tokenizePassage } from './passage';

/** Read by every model before it is used on a device: prose, code, numbers, and letters beyond ASCII. */
const GOLDEN_PROMPT =
  'The cat sat on the mat. The cat sat on the chair.\nfor (let i = 0; i < 10; i++) {\n  total += prices[i];\n}\n' +
  'Größe: 1024 × 768 — 猫は椅子に座った。 The cat sat on the';
/** T: what is compared and timed as a whole, and how many tokens are read one by one behind it. */
const PROMPT_TOKENS = 32;
const STEPS = 4;

/**
 * How far two right computations of the same model may be from each other: of logits, as a part of the largest one, and of
 * attention weights. Single precision has 24 bits, of which a decoder's sums use up about ten; half precision has 11; and
 * what multiplies integers rounds to 8 bits before, each implementation in its own way.
 */
const TOLERANCES: Readonly<Record<Arithmetic, number>> = { float32: 1e-4, float16: 2e-2, integer: 5e-2 };

interface Measured {
  /** [T, V] */
  readonly logits: Float32Array;
  /** By layer [H, T, T]; null where it was not found. */
  readonly attention: readonly Float32Array[] | null;
  /** By step [V]. */
  readonly steps: readonly Float32Array[];
  readonly times: DeviceTimes;
}

/**
 * Holds a model on a device against the same model on the processor: logits, attention, and steps that go on from the cache.
 *
 * @throws HeadlightError `device-unavailable`, `device-lost`; and what opening the model on the processor throws
 */
export async function proveDevice({ directory, device, profile }: ProveDeviceParams): Promise<DeviceProof> {
  const folder = await openModelFolder(directory);
  const tokenizer = await loadTokenizer(folder);
  const most = Math.min(PROMPT_TOKENS + STEPS, folder.config.contextLength);
  const { tokens } = tokenizePassage(GOLDEN_PROMPT, tokenizer, most);
  const ids = tokens.map(({ id }) => id);
  const model = { graphFile: folder.graphFile, config: folder.config };
  // One after the other, so that both are not in memory at once.
  const cpu = await withDecoder({ ...model, device: 'cpu' }, (decoder) => measure(decoder, ids));
  const measured = await withDecoder({ ...model, device }, (decoder) => measure(decoder, ids));
  const arithmetic = arithmeticOfFile(folder.graphFile);
  return {
    arithmetic,
    tolerance: TOLERANCES[arithmetic],
    differences: differencesOf(cpu, measured),
    tokens: ids.length - STEPS,
    times: { device: measured.times, cpu: cpu.times },
    operators: profile ? await profiled({ ...model, device }, Uint32Array.from(ids.slice(0, -STEPS))) : null,
  };
}

function arithmeticOfFile(graphFile: string): Arithmetic {
  const file = ModelFile.open(graphFile);
  try {
    return arithmeticOf(readModel(file));
  } finally {
    file.close();
  }
}

async function withDecoder<T>(options: DecoderOptions, use: (decoder: Decoder) => Promise<T>): Promise<T> {
  const decoder = await Decoder.open(options);
  try {
    return await use(decoder);
  } finally {
    await decoder.dispose();
  }
}

async function measure(decoder: Decoder, ids: readonly number[]): Promise<Measured> {
  const prompt = Uint32Array.from(ids.slice(0, -STEPS));
  const { logits, attention } = await decoder.forward(prompt);
  const layers: Float32Array[] = [];
  for (let layer = 0; layer < (attention?.layers ?? 0); layer++) {
    layers.push(await attention!.layer(layer));
  }
  // The first run of a form of input compiles what it is computed with.
  const again = await timed(() => decoder.forward(prompt));
  const decoding = await decoder.decoding();
  decoding.truncate(0);
  await decoding.read([...prompt], 1);
  const steps: Float32Array[] = [];
  const stepTimes: number[] = [];
  for (const id of ids.slice(-STEPS)) {
    const step = await timed(() => decoding.read([id], 1));
    steps.push(step.result.logits[0].slice());
    stepTimes.push(step.ms);
  }
  return {
    logits,
    attention: attention === null ? null : layers,
    steps,
    times: { prompt: again.ms, step: Math.min(...stepTimes) },
  };
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly ms: number }> {
  const started = performance.now();
  const result = await work();
  return { result, ms: performance.now() - started };
}

function differencesOf(cpu: Measured, device: Measured): DeviceDifferences {
  const attention = cpu.attention?.map((layer, index) => largestDifference(layer, device.attention?.[index]));
  return {
    logits: largestDifference(cpu.logits, device.logits) / largest(cpu.logits),
    attention: attention === undefined ? null : Math.max(...attention),
    step: Math.max(...cpu.steps.map((step, at) => largestDifference(step, device.steps[at]) / largest(step))),
  };
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
}

/** Infinite where one of them is absent, of another length, or not a number. */
function largestDifference(expected: Float32Array, actual: Float32Array | undefined): number {
  if (actual?.length !== expected.length) {
    return Number.POSITIVE_INFINITY;
  }
  const most = expected.reduce((so, value, index) => Math.max(so, Math.abs(value - actual[index])), 0);
  return Number.isNaN(most) ? Number.POSITIVE_INFINITY : most;
}

/** Where the operators of one more run of the prompt are computed. */
async function profiled(
  options: DecoderOptions & { readonly device: Device },
  ids: Uint32Array,
): Promise<OperatorProfile> {
  const folder = await mkdtemp(path.join(tmpdir(), 'headlight-profile-'));
  try {
    await withDecoder({ ...options, profile: path.join(folder, 'profile') }, async (decoder) => {
      await decoder.forward(ids);
      await decoder.forward(ids);
      decoder.endProfiling();
    });
    const [file] = await readdir(folder);
    return readProfile(await readFile(path.join(folder, file), 'utf8'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
