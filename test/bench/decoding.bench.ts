import path from 'node:path';
import { Decoder } from '../../src/engine/runtime/decoder';
import type { Decoding } from '../../src/engine/runtime/decoding';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { type Bench, compare, type Measurement, median, timed } from './bench';
import { gpt2SmallDecoding, someIds } from './models';
import { PlainLoop } from './plain-loop';
import { loadTransformers } from './transformers';

const CONTEXT = 512;
/** Behind each other, as a text is written: the first step after another model's pays for memory that the other has used. */
const STEPS = 24;
const REPETITIONS = 9;

/** A token more at a context of 512, against what decodes with the same runtime otherwise. */
export const bench: Bench = async () => {
  const directory = await gpt2SmallDecoding();
  const { graphFile, config } = await openModelFolder(directory);
  const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
  const decoding = await decoder.decoding();
  const prompt = [...someIds(CONTEXT, config.vocabSize)];
  const next = [...someIds(STEPS, config.vocabSize)];
  await decoding.read(prompt, 1);
  const measurements = [await againstPlainLoop(graphFile, config, decoding, prompt, next)];
  measurements.push(...(await againstTransformers(directory, decoding, prompt, next)));
  await decoder.dispose();
  return measurements;
};

async function againstPlainLoop(
  graphFile: string,
  config: { kvHeads: number; headDim: number },
  decoding: Decoding,
  prompt: readonly number[],
  next: readonly number[],
): Promise<Measurement> {
  const plain = await PlainLoop.open(graphFile, config);
  const read = await plain.step(prompt, null, 0);
  const { ratio, a, b } = await compare(
    REPETITIONS,
    () => decode(decoding, next),
    async () => {
      let past = read;
      for (const [index, id] of next.entries()) {
        past = await plain.step([id], past, CONTEXT + index);
      }
    },
  );
  await plain.release();
  return {
    what: `GPT-2-small-shaped: a token at context ${CONTEXT} against the plain present/past loop`,
    value: ratio,
    unit: 'ratio',
    limit: { atMost: 0.65 },
    detail: `${perToken(a)} against ${perToken(b)}`,
  };
}

async function againstTransformers(
  directory: string,
  decoding: Decoding,
  prompt: readonly number[],
  next: readonly number[],
): Promise<Measurement[]> {
  const { env, AutoModelForCausalLM, Tensor } = await loadTransformers();
  env.allowRemoteModels = false;
  env.localModelPath = path.dirname(directory);
  const model = await AutoModelForCausalLM.from_pretrained(path.basename(directory), { dtype: 'fp32', device: 'cpu' });
  const dims = [1, prompt.length];
  const inputs = {
    input_ids: new Tensor('int64', BigInt64Array.from(prompt, BigInt), dims),
    attention_mask: new Tensor('int64', new BigInt64Array(prompt.length).fill(1n), dims),
  };
  const generate = (tokens: number) =>
    model.generate({ ...inputs, max_new_tokens: tokens, min_new_tokens: tokens, do_sample: false });
  await generate(2);
  const ours: number[] = [];
  const theirs: number[] = [];
  const ratios: number[] = [];
  for (let repetition = 0; repetition < REPETITIONS / 3; repetition++) {
    // What the prompt takes, and the first token with it, is no part of a step.
    const start = await timed(() => generate(1));
    const all = await timed(() => generate(1 + next.length));
    theirs.push(all - start);
    ours.push(await timed(() => decode(decoding, next)));
    ratios.push(ours.at(-1)! / theirs.at(-1)!);
  }
  await model.dispose();
  const perSecond = (ms: number) => `${((1000 * STEPS) / ms).toFixed(1)} tokens/s`;
  return [
    {
      what: `GPT-2-small-shaped: a token at context ${CONTEXT} against @huggingface/transformers`,
      value: median(ratios),
      unit: 'ratio',
      limit: { atMost: 0.7 },
      detail: `${perToken(median(ours))} against ${perToken(median(theirs))}`,
    },
    {
      what: `GPT-2-small-shaped: tokens a second at context ${CONTEXT} against @huggingface/transformers`,
      value: 1 / median(ratios),
      unit: 'ratio',
      limit: { atLeast: 1.3 },
      detail: `${perSecond(median(ours))} against ${perSecond(median(theirs))}`,
    },
  ];
}

/** Behind the prompt, again and again. */
async function decode(decoding: Decoding, ids: readonly number[]): Promise<void> {
  decoding.truncate(CONTEXT);
  for (const id of ids) {
    await decoding.read([id], 1);
  }
}

function perToken(ms: number): string {
  return `${(ms / STEPS).toFixed(1)} ms`;
}
