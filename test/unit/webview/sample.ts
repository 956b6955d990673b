import type { PanelSnapshot } from '../../../src/protocol/panel';
import type { Trace } from '../../../src/protocol/trace';

const model = {
  name: 'tiny',
  directory: '/models/tiny',
  architecture: 'gpt2',
  layers: 2,
  heads: 3,
  kvHeads: 3,
  headDim: 4,
  hiddenSize: 12,
  vocabSize: 100,
  contextLength: 64,
  parameters: 1000,
};

/** A trace of so many one-letter tokens. */
export function sampleTrace(id: number, tokens = 20): Trace {
  return {
    id,
    model,
    device: { device: 'cpu', reason: null },
    tokens: Array.from({ length: tokens }, (_, index) => ({
      index,
      id: index,
      text: 'a',
      bytes: [97],
      start: index,
      end: index + 1,
      probability: index === 0 ? null : 0.5,
      rank: index === 0 ? null : 1,
      surprisal: index === 0 ? null : 1,
      entropy: 1,
    })),
    truncation: null,
    meanSurprisal: 1,
    perplexity: 2,
    attention: { available: true, layers: 2, heads: 3 },
    timing: { tokenizeMs: 0, forwardMs: 0 },
  };
}

export function sampleSnapshot(status: PanelSnapshot['status']): PanelSnapshot {
  return {
    model,
    device: { device: 'cpu', reason: null },
    trying: null,
    following: true,
    sampler: { temperature: 0.8, topK: 40, topP: 0.9, minP: 0 },
    passage: {
      fileName: 'a.txt',
      firstLine: 1,
      lastLine: 1,
      text: 'a'.repeat(20),
      upToCaret: false,
      generatedFrom: null,
      root: null,
      edited: false,
    },
    status,
  };
}
