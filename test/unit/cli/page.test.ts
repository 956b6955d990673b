import assert from 'node:assert/strict';
import { type PageContent, renderPage } from '../../../src/cli/page';
import type { CandidateList, HeadOverview, TokenReading, Trace } from '../../../src/protocol/trace';

const token = (index: number, text: string, probability: number | null): TokenReading => ({
  index,
  id: 100 + index,
  text,
  bytes: [...new TextEncoder().encode(text)],
  start: 10 * index,
  end: 10 * index + text.length,
  probability,
  rank: probability === null ? null : 3,
  surprisal: probability === null ? null : -Math.log2(probability),
  entropy: 2,
});

const trace: Trace = {
  id: 1,
  model: {
    name: 'tiny',
    directory: '/models/tiny',
    architecture: 'gpt2',
    layers: 1,
    heads: 2,
    kvHeads: 2,
    headDim: 4,
    hiddenSize: 8,
    vocabSize: 10,
    contextLength: 16,
    parameters: 1000,
  },
  device: { device: 'cpu', reason: null },
  tokens: [token(0, 'if', null), token(1, ' x\n', 0.125), token(2, '\x1b[31m\u202e', 0.00001)],
  truncation: { totalTokens: 20, keptTokens: 3 },
  meanSurprisal: 4,
  perplexity: 16,
  attention: { available: true, layers: 1, heads: 2 },
  timing: { tokenizeMs: 1, forwardMs: 9 },
};
const candidates: CandidateList = {
  candidates: [
    { id: 4, text: ' then', bytes: [], probability: 0.5, samplerProbability: 1, rank: 1 },
    { id: 5, text: '\t', bytes: [], probability: 0.004, samplerProbability: 0, rank: 2 },
  ],
  kept: 1,
  vocabSize: 10,
  cut: 'top-k',
  keptProbabilities: Float32Array.of(1),
  draw: null,
};
const column = (...values: number[]) => Float32Array.from(values);
const heads: HeadOverview = {
  layers: 1,
  heads: 2,
  side: 1,
  thumbnails: new Uint8Array(2),
  statistics: {
    previous: column(0.25, 0.75),
    first: column(0.5, 0.125),
    induction: column(Number.NaN, Number.NaN),
    duplicate: column(Number.NaN, Number.NaN),
    entropy: column(1, 1),
  },
};
const content: PageContent = { trace, candidates, heads, loadMs: 100, color: false };

describe('page', () => {
  const page = renderPage(content);
  const line = (start: string) => page.split('\n').find((one) => one.trimStart().startsWith(start)) ?? '';

  it('names the model and what was measured', () => {
    assert.match(page, /^tiny · gpt2, 1 layer × 2 heads · cpu\n3 tokens · perplexity 16\.0 · 4\.00 bits a token · /);
    assert.match(page, /loaded in 100 ms, run in 10 ms/);
    assert.match(page, /The text has 20 tokens; the last 3 were read/);
  });

  it('lists the tokens with their surprisal, controls made harmless', () => {
    assert.match(line('0 '), /100 +– +– +– {2}"if"$/);
    assert.match(line('1 '), /101 +12\.5 % +3 +3\.00 {2}" x⏎"$/);
    assert.match(line('2 '), /<0\.01 % +3 +16\.61 {2}"␛\[31m�"$/);
    assert.ok(!page.includes('\x1b'));
  });

  it('gives both probabilities of the candidates, with bars', () => {
    assert.match(page, /Next token \(the sampler keeps 1 of 10 tokens, cut by top-k\)/);
    assert.match(page, /1 +50\.0 % +100\.0 % {2}█{24} {2}" then"/);
    assert.match(page, /2 +0\.40 % +cut {2}▎? +"→"/);
  });

  it('names the strongest heads of each kind, and says where none can be', () => {
    assert.match(page, /previous token +0\.1 0\.75 +0\.0 0\.25/);
    assert.match(page, /induction +no token repeats/);
  });

  it('says why there are no heads', () => {
    const attention = { available: false, reason: 'No attention here.' } as const;
    assert.match(renderPage({ ...content, trace: { ...trace, attention }, heads: null }), /No attention here\./);
  });

  it('colours the passage by surprisal in a terminal, keeping its lines', () => {
    const coloured = renderPage({ ...content, color: true });
    assert.ok(coloured.includes('\x1b[38;5;16;48;5;252mif\x1b[0m\x1b[38;5;16;48;5;187m x⏎\x1b[0m\n'));
    assert.ok(coloured.includes('48;5;210m␛[31m�\x1b[0m'));
  });

  it('shows a character that tokens share once, in colours of its own for each', () => {
    const part = (index: number, bytes: number[], start: number, end: number): TokenReading => ({
      ...token(index, '\ufffd', 0.5),
      ...{ bytes, start, end },
    });
    const tokens = [part(0, [0x20, 0xe7, 0x81], 0, 2), part(1, [0xaf], 1, 2), part(2, [0x2e], 2, 3)];
    const coloured = renderPage({ ...content, trace: { ...trace, tokens }, color: true });
    const cells = [' 灯', '·', '.'].map((text) => `\x1b[38;5;16;48;5;151m${text}\x1b[0m`);
    assert.ok(coloured.includes(`\n${cells.join('')}\n`));
  });
});
