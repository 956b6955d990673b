import path from 'node:path';
import { projectCache, root } from '../../scripts/project.mjs';
import { DeviceChooser } from '../../src/engine/devices/device-chooser';
import { describeMachine } from '../../src/engine/devices/machine';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { DEVICE_NAMES, type Device } from '../../src/protocol/device';
import { type Bench, compare, type Measurement } from './bench';
import { DEFAULT_MODEL, gpt2SmallDecoding, gpt2SmallOfTwoLayers, someIds } from './models';

interface Sizes {
  /** Tokens that are read in one run. */
  readonly prefill: readonly number[];
  /** Tokens in the cache before a step. */
  readonly context: number;
  readonly steps: number;
  readonly repetitions: number;
}

const FULL: Sizes = { prefill: [256, 1024], context: 512, steps: 16, repetitions: 5 };
/** A sixteenth, for drivers that compute on the processor: that it works is all that they can show. */
const SHORT: Sizes = { prefill: [16, 64], context: 32, steps: 1, repetitions: 1 };

const chooser = new DeviceChooser({
  entryPoint: path.join(root, 'dist', 'engine', 'server.mjs'),
  storage: projectCache,
  log: () => {},
  cudaFolder: () => process.env.HEADLIGHT_CUDA_FOLDER ?? null,
});

/** What the process of this bench needs in its environment. */
export const environment = (): NodeJS.ProcessEnv => chooser.environment;

/**
 * The same model on a device and on the processor: reading a prompt, and a token more behind it. With attention it is what the
 * panel shows of such a text, with the weights of every head; without, it is what a suggestion takes, from the cache.
 */
export const bench: Bench = async ({ device, short }) => {
  if (device === null) {
    throw new Error('Name the device to measure: npm run bench -- --device webgpu');
  }
  // In a process of its own first: a driver may end it.
  const { device: chosen, reason } = await chooser.choose(DEFAULT_MODEL, device);
  if (chosen !== device) {
    throw new Error(`${DEVICE_NAMES[device]} is not measured: ${reason}`);
  }
  const sizes = short ? SHORT : FULL;
  const shaped = short ? gpt2SmallOfTwoLayers() : gpt2SmallDecoding();
  const { adapters, drivers } = await describeMachine('');
  const [first, ...rest] = [
    ...(await measure('headlight-small', DEFAULT_MODEL, device, sizes)),
    ...(await measure(`GPT-2-small-shaped${short ? ', 2 layers' : ''}`, await shaped, device, sizes)),
  ];
  return [{ ...first, detail: `${first.detail}, with ${[...adapters, ...drivers].join(', ')}` }, ...rest];
};

async function measure(name: string, directory: string, device: Device, sizes: Sizes): Promise<Measurement[]> {
  const { graphFile, config } = await openModelFolder(directory);
  const open = (on: Device) => Decoder.open({ graphFile, config, device: on });
  const [there, cpu] = [await open(device), await open('cpu')];
  const ids = [...someIds(config.contextLength, config.vocabSize)];
  const measurements: Measurement[] = [];
  const against = async (what: string, times: number, work: (decoder: Decoder) => Promise<unknown>) => {
    const { ratio, a, b } = await compare(
      sizes.repetitions,
      () => work(there),
      () => work(cpu),
    );
    measurements.push({
      what: `${name}: ${what}, ${DEVICE_NAMES[device]} against the CPU`,
      value: ratio,
      unit: 'ratio',
      limit: null,
      detail: `${(a / times).toFixed(1)} ms against ${(b / times).toFixed(1)} ms`,
    });
  };
  // A model is read no further than its context.
  for (const length of new Set(sizes.prefill.map((wanted) => Math.min(wanted, config.contextLength)))) {
    const prompt = ids.slice(0, length);
    await against(`prefill of ${length} tokens`, 1, (decoder) => read(decoder, prompt, 0));
    await against(`prefill of ${length} tokens with attention`, 1, (decoder) => attend(decoder, prompt));
  }
  const context = Math.min(sizes.context, config.contextLength - sizes.steps);
  const [prompt, next] = [ids.slice(0, context), ids.slice(context, context + sizes.steps)];
  for (const decoder of [there, cpu]) {
    await read(decoder, prompt, 0);
  }
  await against(`a token at context ${context}`, sizes.steps, async (decoder) => {
    for (const [at, id] of next.entries()) {
      await read(decoder, [id], context + at);
    }
  });
  await against(`a token at context ${context} with attention`, 1, (decoder) =>
    attend(decoder, ids.slice(0, context + 1)),
  );
  await there.dispose();
  await cpu.dispose();
  return measurements;
}

/** Up to the prediction of the next token, behind so many that are in the cache. */
async function read(decoder: Decoder, ids: readonly number[], behind: number): Promise<void> {
  const decoding = await decoder.decoding();
  decoding.truncate(behind);
  await decoding.read(ids, 1);
}

async function attend(decoder: Decoder, ids: readonly number[]): Promise<void> {
  const { attention } = await decoder.forward(Uint32Array.from(ids));
  for (let layer = 0; layer < attention!.layers; layer++) {
    for await (const weights of attention!.eachHead(layer)) {
      if (weights.length !== ids.length ** 2) {
        throw new Error(`a head has ${weights.length} weights for ${ids.length} tokens`);
      }
    }
  }
}
