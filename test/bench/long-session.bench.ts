import path from 'node:path';
import { projectCache } from '../../scripts/project.mjs';
import { Generator } from '../../src/engine/sampling/generator';
import { StatusRequest, SuggestRequest } from '../../src/protocol/engine';
import { EditedText } from '../unit/engine/suggest/edited-text';
import { type Bench, median } from './bench';
import { startEngine } from './engine-process';
import { gpt2ShapedModel } from './gpt2-shaped';
import { DEFAULT_MODEL, longText } from './models';

const KEYS = 10_000;
const SETTLED = 1_000;
/** How often the engine is asked what it holds, in keys. */
const SAMPLED = 20;
const TREE_BYTES = 2 ** 22;
const WINDOW_TOKENS = 64;
/** As much as an editor hands over for the window, in UTF-16 code units. */
const LONGEST_TEXT = 8 * WINDOW_TOKENS;

/** Whether the engine's memory settles: a small model, so that what grows is what is remembered. */
export const bench: Bench = async () => {
  const shape = { layers: 2, heads: 2, headDim: 8, vocabSize: 50_257, contextLength: 512 };
  const folder = path.join(projectCache, 'bench', 'tiny-decoding');
  const engine = await startEngine(
    await gpt2ShapedModel(folder, { ...shape, mask: 'where-add', past: true, positionIds: true }, DEFAULT_MODEL),
  );
  const text = new EditedText(longText().slice(0, 1500), 1500, new Generator(3));
  let largestTree = 0;
  const memory: number[] = [];
  for (let key = 1; key <= KEYS; key++) {
    text.step();
    await engine.request(SuggestRequest, {
      ...{ extent: 'line', sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 }, seed: 1, count: 1 },
      ...{ confidenceFloor: 0, atLeast: 1, maxTokens: 2, windowTokens: WINDOW_TOKENS, cacheBytes: TREE_BYTES },
      text: text.beforeCaret.slice(-LONGEST_TEXT),
    });
    if (key % SAMPLED === 0) {
      const { prefixTreeBytes, memoryBytes } = await engine.request(StatusRequest, {});
      largestTree = Math.max(largestTree, prefixTreeBytes);
      memory.push(memoryBytes);
    }
  }
  engine.stop();
  const settled = SETTLED / SAMPLED;
  // Between two collections of what is no longer used it goes up and down.
  const [before, after] = [memory.slice(settled, 2 * settled), memory.slice(-settled)].map(median);
  const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  return [
    {
      what: `growth of the engine's process from ${SETTLED} to ${KEYS} keys`,
      value: (after - before) / 2 ** 20,
      unit: 'MB',
      limit: { atMost: 8 },
      detail: `from ${megabytes(before)} to ${megabytes(after)} MB`,
    },
    {
      what: 'the largest that the tree of prefixes was meanwhile',
      value: largestTree / 2 ** 20,
      unit: 'MB',
      limit: { atMost: TREE_BYTES / 2 ** 20 },
      detail: 'its setting is the limit',
    },
  ];
};
