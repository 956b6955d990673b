import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { SuggestionMemory } from '../../src/editor/suggestion-memory';
import { loadTokenizer } from '../../src/engine/model/tokenizer';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { Generator } from '../../src/engine/sampling/generator';
import { PrefixTree } from '../../src/engine/suggest/prefix-tree';
import { RememberingModel } from '../../src/engine/suggest/remembering-model';
import { Suggester } from '../../src/engine/suggest/suggester';
import type { SuggestParams } from '../../src/protocol/suggestion';
import { buildDecoder } from '../unit/engine/onnx/decoder-models';
import { EditedText } from '../unit/engine/suggest/edited-text';
import { type Bench, compare, type Measurement, median, timed } from './bench';
import { DEFAULT_MODEL, gpt2SmallDecoding } from './models';

const PARAMS: Omit<SuggestParams, 'text' | 'cacheBytes'> = {
  ...{ extent: 'line', sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 }, seed: 1, count: 1 },
  ...{ confidenceFloor: 0, atLeast: 1, maxTokens: 8, windowTokens: 512 },
};
const CACHE_BYTES = 256 * 2 ** 20;
const KEYS = 300;
const TYPED_BEFORE = 2000;
const REPETITIONS = 7;
const LONG_SESSION = 10_000;
const SETTLED = 1_000;

/** From a key to what is suggested, the waiting for a pause in typing left out. */
export const bench: Bench = async () => [
  ...(await oneCharacter('GPT-2-small-shaped', await gpt2SmallDecoding(), 0.15)),
  ...(await oneCharacter('headlight-small', DEFAULT_MODEL, null)),
  await typingSession(),
  await longSession(),
];

/** A model, and suggesters that share it but not what they remember. */
async function open(directory: string): Promise<{ decoder: Decoder; newSuggester: () => Suggester }> {
  const folder = await openModelFolder(directory);
  const { graphFile, config } = folder;
  const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
  const tokenizer = await loadTokenizer(folder);
  return { decoder, newSuggester: () => new Suggester(tokenizer, remembering(decoder), config.contextLength) };
}

function remembering(decoder: Decoder): RememberingModel {
  return new RememberingModel(decoder, new PrefixTree(0));
}

/** A sample, long enough to fill the window. */
function longText(): string {
  return readFileSync(path.join(root, 'samples', 'long.py'), 'utf8');
}

/** The first token alone, and a whole suggestion: what a person waits for, since an editor takes one only when it is whole. */
async function oneCharacter(name: string, directory: string, limit: number | null): Promise<readonly Measurement[]> {
  const { decoder, newSuggester } = await open(directory);
  const decoding = await decoder.decoding();
  const text = longText();
  const measurements: Measurement[] = [];
  for (const [what, maxTokens] of [
    ['first token', 1],
    [`suggestion of ${PARAMS.maxTokens} tokens`, PARAMS.maxTokens],
  ] as const) {
    const suggester = newSuggester();
    const forgetful = newSuggester();
    let end = 4000;
    const params = () => ({ ...PARAMS, maxTokens, text: text.slice(0, end) });
    await suggester.suggest({ ...params(), cacheBytes: CACHE_BYTES });
    const { ratio, a, b } = await compare(
      REPETITIONS,
      () => {
        end++;
        return suggester.suggest({ ...params(), cacheBytes: CACHE_BYTES });
      },
      async () => {
        // Nothing is remembered, neither in the tree nor in the buffer.
        decoding.truncate(0);
        await forgetful.suggest({ ...params(), cacheBytes: 0 });
      },
    );
    measurements.push({
      what: `${name}: ${what} after one more character at context ${PARAMS.windowTokens}, against the same without reuse`,
      value: ratio,
      unit: 'ratio',
      limit: limit === null ? null : { atMost: limit },
      detail: `${a.toFixed(0)} ms against ${b.toFixed(0)} ms`,
    });
  }
  await decoder.dispose();
  return measurements;
}

/** Types a part of a sample key by key; what the model has suggested is not asked for again. */
async function typingSession(): Promise<Measurement> {
  const { decoder, newSuggester } = await open(DEFAULT_MODEL);
  const suggester = newSuggester();
  const text = longText();
  const memory = new SuggestionMemory();
  const times: number[] = [];
  let asked = 0;
  for (let key = 1; key <= KEYS; key++) {
    const before = text.slice(0, TYPED_BEFORE + key);
    times.push(
      await timed(async () => {
        if (memory.find('', before, false) === null) {
          asked++;
          const { suggestions } = await suggester.suggest({ ...PARAMS, text: before, cacheBytes: CACHE_BYTES });
          memory.add({ source: '', text: before, suggestions, withAlternatives: false });
        }
      }),
    );
  }
  await decoder.dispose();
  const sorted = times.toSorted((x, y) => x - y);
  return {
    what: `headlight-small: from a key to its suggestion, 95th percentile of ${KEYS} keys`,
    value: sorted[Math.floor(0.95 * KEYS)],
    unit: 'ms',
    limit: null,
    detail: `median ${median(times).toFixed(1)} ms; ${KEYS - asked} keys typed as suggested cost no request`,
  };
}

/** Whether the engine's memory settles: a small model, so that what grows is what is remembered. */
async function longSession(): Promise<Measurement> {
  const sizes = { layers: 2, heads: 2, kvHeads: 2, headDim: 8, vocabSize: 50_257, contextLength: 512 };
  const folder = mkdtempSync(path.join(tmpdir(), 'headlight-long-session-'));
  const graphFile = path.join(folder, 'model.onnx');
  buildDecoder({ ...sizes, mask: 'add', past: true, positionIds: true }).builder.write(graphFile);
  const config = { ...sizes, architecture: 'test', hiddenSize: 16, bosTokenId: null, eosTokenId: null };
  const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
  const model = remembering(decoder);
  const tokenizer = await loadTokenizer(await openModelFolder(DEFAULT_MODEL));
  const suggester = new Suggester(tokenizer, model, sizes.contextLength);
  const text = new EditedText(longText().slice(0, 1500), 1500, new Generator(3));
  const limit = 8 * 2 ** 20;
  let largest = 0;
  let settled = 0;
  for (let key = 1; key <= LONG_SESSION; key++) {
    text.step();
    await suggester.suggest({ ...PARAMS, text: text.beforeCaret, maxTokens: 2, cacheBytes: limit });
    largest = Math.max(largest, model.tree.byteLength);
    if (key === SETTLED) {
      settled = residentBytes();
    }
  }
  const grown = residentBytes() - settled;
  await decoder.dispose();
  rmSync(folder, { recursive: true });
  return {
    what: `growth of the process from ${SETTLED} to ${LONG_SESSION} keys`,
    value: grown / 2 ** 20,
    unit: 'MB',
    limit: { atMost: 16 },
    detail: `the tree took ${(largest / 2 ** 20).toFixed(1)} MB of its ${limit / 2 ** 20} MB`,
  };
}

function residentBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}
