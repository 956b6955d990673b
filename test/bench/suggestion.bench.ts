import { SuggestionMemory } from '../../src/editor/suggestion-memory';
import { loadTokenizer } from '../../src/engine/model/load-tokenizer';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { takeDenormalsForZero } from '../../src/engine/runtime/providers';
import { PrefixTree } from '../../src/engine/suggest/prefix-tree';
import { RememberingModel } from '../../src/engine/suggest/remembering-model';
import { Suggester } from '../../src/engine/suggest/suggester';
import { StatusRequest, SuggestRequest } from '../../src/protocol/engine';
import type { SuggestParams } from '../../src/protocol/suggestion';
import { type Bench, compare, type Measurement, median, timed } from './bench';
import { startEngine } from './engine-process';
import { DEFAULT_MODEL, gpt2SmallDecoding, longText } from './models';
import { typed, typingSession } from './typing-session';

// As the engine's process does.
takeDenormalsForZero();

const PARAMS: Omit<SuggestParams, 'text' | 'cacheBytes'> = {
  ...{ extent: 'line', sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 }, seed: 1, count: 1 },
  ...{ confidenceFloor: 0, atLeast: 1, maxTokens: 8, windowTokens: 512 },
};
const CACHE_BYTES = 256 * 2 ** 20;
const KEYS = 300;
const TYPED_BEFORE = 2000;
const REPETITIONS = 7;

/** From a key to what is suggested, the waiting for a pause in typing left out. */
export const bench: Bench = async () => [
  ...(await oneCharacter('GPT-2-small-shaped', await gpt2SmallDecoding())),
  ...(await oneCharacter('headlight-small', DEFAULT_MODEL)),
  await typingKeys(),
];

/** A model of its own, with nothing remembered. */
async function open(directory: string): Promise<{ decoder: Decoder; suggester: Suggester }> {
  const folder = await openModelFolder(directory);
  const { graphFile, config } = folder;
  const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
  const model = new RememberingModel(decoder, new PrefixTree(0));
  return { decoder, suggester: new Suggester(await loadTokenizer(folder), model, config.contextLength) };
}

/** The first token alone, and a whole suggestion: what a person waits for, since an editor takes one only when it is whole. */
async function oneCharacter(name: string, directory: string): Promise<readonly Measurement[]> {
  const { decoder, suggester } = await open(directory);
  const { decoder: another, suggester: forgetful } = await open(directory);
  const decoding = await another.decoding();
  const text = longText();
  // Goes on from one measurement to the next: what was typed before is remembered.
  let end = 4000;
  const measurements: Measurement[] = [];
  for (const [what, maxTokens] of [
    ['first token', 1],
    [`suggestion of ${PARAMS.maxTokens} tokens`, PARAMS.maxTokens],
  ] as const) {
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
      limit: { atMost: 0.15 },
      detail: `${a.toFixed(0)} ms against ${b.toFixed(0)} ms`,
    });
  }
  await decoder.dispose();
  await another.dispose();
  return measurements;
}

/** Types key by key, as the editor asks; what is typed as suggested, or was suggested before, is not asked for again. */
async function typingKeys(): Promise<Measurement> {
  const engine = await startEngine(DEFAULT_MODEL);
  const memory = new SuggestionMemory();
  const times: number[] = [];
  let text = longText().slice(0, TYPED_BEFORE);
  let asked = 0;
  const suggestBehind = async () => {
    if (memory.find('', text, false) === null) {
      asked++;
      const { suggestions } = await engine.request(SuggestRequest, { ...PARAMS, text, cacheBytes: CACHE_BYTES });
      memory.add({ source: '', text, suggestions, withAlternatives: false });
    }
  };
  await suggestBehind();
  asked = 0;
  for (const key of typingSession(longText().slice(TYPED_BEFORE), KEYS)) {
    text = typed(text, key);
    times.push(await timed(suggestBehind));
  }
  const { readTokens } = await engine.request(StatusRequest, {});
  engine.stop();
  const sorted = times.toSorted((x, y) => x - y);
  return {
    what: `headlight-small: from a key to its suggestion of ${PARAMS.maxTokens} tokens, 95th percentile of ${KEYS} keys`,
    value: sorted[Math.floor(0.95 * KEYS)],
    unit: 'ms',
    limit: null,
    detail: `through the engine's process, without the pause in typing; median ${median(times).toFixed(1)} ms; ${KEYS - asked} keys needed no request; ${readTokens} tokens read`,
  };
}
