import assert from 'node:assert/strict';
import { Tensor } from 'onnxruntime-node';
import { Lens, logitLens } from '../../../../src/engine/inspect/logit-lens';
import type { Tokenizer } from '../../../../src/engine/model/tokenizer';
import type { Anatomy, KeptPass } from '../../../../src/engine/runtime/anatomy';

const LENGTH = 7;
const WIDTH = 2;
const VOCABULARY = 11;

/** Rows that went through the head. */
let rowsRead = 0;

const anatomy = {
  norm: async (_pass: KeptPass, rows: Float32Array) => rows,
  unembed: async (_pass: KeptPass, rows: Float32Array) => {
    const count = rows.length / WIDTH;
    rowsRead += count;
    return Float32Array.from({ length: count * VOCABULARY }, (_, at) =>
      Math.sin(rows[Math.floor(at / VOCABULARY) * WIDTH] * (1 + (at % VOCABULARY))),
    );
  },
  readLogits: async (logits: Float32Array, asked: readonly (number | null)[], limit: number) =>
    asked.map((id, row) => {
      const own = logits.subarray(row * VOCABULARY, (row + 1) * VOCABULARY);
      const ids = [...own.keys()].sort((a, b) => own[b] - own[a]).slice(0, limit);
      return {
        ids,
        probabilities: ids.map((best) => own[best]),
        own: id === null ? null : { probability: own[id], rank: 1 },
      };
    }),
} as unknown as Anatomy;

const tokenizer = {
  vocabSize: VOCABULARY,
  textOf: (id: number) => `t${id}`,
  bytesOf: (id: number) => Uint8Array.of(id),
} as unknown as Tokenizer;

function passOf(seed: number): KeptPass {
  const stream = [0, 1, 2].map(
    (depth) =>
      new Tensor(
        'float32',
        Float32Array.from({ length: LENGTH * WIDTH }, (_, at) => seed + depth + at / 7),
        [1, LENGTH, WIDTH],
      ),
  );
  return { ids: Uint32Array.from({ length: LENGTH }, (_, at) => at), stream };
}

const window = (from: number, to: number, limit = 5) => ({ traceId: 1, positions: { from, to }, limit });

describe('the lens', () => {
  beforeEach(() => {
    rowsRead = 0;
  });

  it('runs the head for the positions that a moved window has not shown yet, and says the same', async () => {
    const [lens, pass] = [new Lens(anatomy, tokenizer), passOf(1)];
    for (const [asked, rows] of [
      [window(3, 6), 9],
      [window(3, 6), 0],
      [window(4, 7, 8), 3],
      [window(1, 5, 1), 6],
      [window(0, 7), 3],
    ] as const) {
      const expected = await logitLens(anatomy, pass, tokenizer, asked);
      rowsRead = 0;
      assert.deepEqual(await lens.of(pass, asked), expected);
      assert.equal(rowsRead, rows);
    }
  });

  it('tells passages apart, and remembers no more candidates than it has', async () => {
    const lens = new Lens(anatomy, tokenizer);
    for (const seed of [1, 2]) {
      const pass = passOf(seed);
      await lens.of(pass, window(0, 7));
      for (const limit of [8, VOCABULARY]) {
        const asked = window(2, 4, limit);
        assert.deepEqual(await lens.of(pass, asked), await logitLens(anatomy, pass, tokenizer, asked));
      }
    }
  });

  it('refuses what is no window of the passage', async () => {
    const [lens, pass] = [new Lens(anatomy, tokenizer), passOf(1)];
    await lens.of(pass, window(0, 7));
    for (const [from, to] of [
      [3, 3],
      [4, 3],
      [5, 8],
      [-1, 2],
    ]) {
      await assert.rejects(lens.of(pass, window(from, to)), { code: 'argument-invalid' });
    }
  });
});
