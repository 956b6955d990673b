import { existsSync } from 'node:fs';
import path from 'node:path';
import { loadTokenizer } from '../../src/engine/model/load-tokenizer';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { takeDenormalsForZero } from '../../src/engine/runtime/providers';
import { Lookahead } from '../../src/engine/suggest/lookahead';
import { PrefixTree } from '../../src/engine/suggest/prefix-tree';
import { RememberingModel } from '../../src/engine/suggest/remembering-model';
import { type Bench, compare, type Measurement, median, timed } from './bench';
import { DEFAULT_MODEL, gpt2SmallDecoding, longText, someIds } from './models';
import { PlainLoop } from './plain-loop';
import { loadTransformers } from './transformers';

// As the engine's process does.
takeDenormalsForZero();

const CONTEXT = 512;
/** Behind each other, as a text is written: the first step after another model's pays for memory that the other has used. */
const STEPS = 24;
const REPETITIONS = 9;

/** A way to read `STEPS` tokens behind a prompt that was read before, one after the other. */
type Decode = () => Promise<unknown>;

/** A token more at a context of 512, against what decodes with the same runtime otherwise. */
export const bench: Bench = async () => [
  ...(await steps('GPT-2-small-shaped', await gpt2SmallDecoding())),
  ...(await steps('headlight-small', DEFAULT_MODEL)),
  ...(await writing()),
];

/** One token after the other, whatever the model says to them. */
async function steps(name: string, directory: string): Promise<readonly Measurement[]> {
  const { graphFile, config } = await openModelFolder(directory);
  const context = Math.min(CONTEXT, config.contextLength - STEPS);
  const prompt = [...someIds(context, config.vocabSize)];
  const next = [...someIds(STEPS, config.vocabSize)];
  const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
  const decoding = await decoder.decoding();
  await decoding.read(prompt, 1);
  const ours = async () => {
    decoding.truncate(context);
    for (const id of next) {
      await decoding.read([id], 1);
    }
  };
  const plain = await PlainLoop.open(graphFile, config);
  const read = await plain.step(prompt, null, 0);
  const plainly = async () => {
    let past = read;
    for (const [index, id] of next.entries()) {
      past = await plain.step([id], past, context + index);
    }
  };
  const what = `${name}: a step at context ${context}`;
  const measurements = [await againstPlainLoop(what, ours, plainly)];
  await plain.release();
  measurements.push(...(await againstTransformers(what, directory, prompt, ours)));
  await decoder.dispose();
  return measurements;
}

/** The model's own most probable tokens behind a sample, as suggestions are written: with a guess read along. */
async function writing(): Promise<readonly Measurement[]> {
  const folder = await openModelFolder(DEFAULT_MODEL);
  const { graphFile, config } = folder;
  const context = Math.min(CONTEXT, config.contextLength - STEPS);
  const tokenizer = await loadTokenizer(folder);
  const prompt = [...tokenizer.split(longText()).ids.subarray(0, context)];
  const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
  const decoding = await decoder.decoding();
  let written: number[] = [];
  const turn = <T>(work: () => Promise<T>) => work();
  const ours = async () => {
    // Nothing is known but the prompt.
    decoding.truncate(context - 1);
    const lookahead = new Lookahead(new RememberingModel(decoder, new PrefixTree(0)), config.contextLength);
    const ids = [...prompt];
    for (let index = 0; index < STEPS; index++) {
      ids.push(largest(await lookahead.behind(ids, turn, { isCancellationRequested: false })));
    }
    written = ids.slice(context);
  };
  await decoding.read(prompt, 1);
  const plain = await PlainLoop.open(graphFile, config);
  const read = await plain.step(prompt.slice(0, -1), null, 0);
  const plainly = async () => {
    const ids = [...prompt];
    let past = read;
    for (let index = 0; index < STEPS; index++) {
      past = await plain.step(ids.slice(-1), past, ids.length - 1);
      ids.push(largest(past.logits.data as Float32Array));
    }
    if (`${ids.slice(context)}` !== `${written}`) {
      throw new Error(`the plain loop writes ${ids.slice(context)} where Headlight writes ${written}`);
    }
  };
  const what = `headlight-small: a token of what it writes behind ${context} tokens of a sample`;
  const measurements = [await againstPlainLoop(what, ours, plainly)];
  await plain.release();
  measurements.push(...(await againstTransformers(what, DEFAULT_MODEL, prompt, ours)));
  await decoder.dispose();
  return measurements;
}

async function againstPlainLoop(what: string, ours: Decode, plain: Decode): Promise<Measurement> {
  const { ratio, a, b } = await compare(REPETITIONS, ours, plain);
  return {
    what: `${what} against the plain present/past loop`,
    value: ratio,
    unit: 'ratio',
    limit: { atMost: 0.65 },
    detail: `${perToken(a)} against ${perToken(b)}`,
  };
}

async function againstTransformers(
  what: string,
  directory: string,
  prompt: readonly number[],
  decode: Decode,
): Promise<Measurement[]> {
  const { env, AutoModelForCausalLM, Tensor } = await loadTransformers();
  env.allowRemoteModels = false;
  env.localModelPath = path.dirname(directory);
  const subfolder = existsSync(path.join(directory, 'onnx')) ? 'onnx' : '';
  const options = { dtype: 'fp32', device: 'cpu', subfolder };
  const model = await AutoModelForCausalLM.from_pretrained(path.basename(directory), options);
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
    const all = await timed(() => generate(1 + STEPS));
    theirs.push(all - start);
    ours.push(await timed(decode));
    ratios.push(ours.at(-1)! / theirs.at(-1)!);
  }
  await model.dispose();
  const perSecond = (ms: number) => `${((1000 * STEPS) / ms).toFixed(1)} tokens/s`;
  return [
    {
      what: `${what} against @huggingface/transformers`,
      value: median(ratios),
      unit: 'ratio',
      limit: { atMost: 0.7 },
      detail: `${perToken(median(ours))} against ${perToken(median(theirs))}`,
    },
    {
      what: `${what}: tokens a second against @huggingface/transformers`,
      value: 1 / median(ratios),
      unit: 'ratio',
      limit: { atLeast: 1.3 },
      detail: `${perSecond(median(ours))} against ${perSecond(median(theirs))}`,
    },
  ];
}

function largest(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) {
    if (logits[id] > logits[best]) {
      best = id;
    }
  }
  return best;
}

function perToken(ms: number): string {
  return `${(ms / STEPS).toFixed(1)} ms`;
}
