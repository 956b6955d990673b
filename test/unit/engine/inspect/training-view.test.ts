import assert from 'node:assert/strict';
import { trainingView } from '../../../../src/engine/inspect/training-view';
import type { Tokenizer } from '../../../../src/engine/model/tokenizer';
import type { Decoder } from '../../../../src/engine/runtime/decoder';

const VOCABULARY = 7;
const CONTEXT = 10;

/** Thinks every token equally likely, and remembers what it read. */
function uniform(read: number[][]): Decoder {
  const forward = async (ids: Uint32Array) => {
    read.push([...ids]);
    return { logits: new Float32Array(ids.length * VOCABULARY) };
  };
  return { forward } as unknown as Decoder;
}

/** Tokens of two bytes each. */
const tokenizer = { textOf: String, bytesOf: () => new Uint8Array(2) } as unknown as Tokenizer;

const text = (length: number, read: number[][], stride: number) => ({
  decoder: uniform(read),
  tokenizer,
  ids: Uint32Array.from({ length }, (_, index) => index % VOCABULARY),
  known: null,
  contextLength: CONTEXT,
  stride,
});

describe('the training view', () => {
  it('reads a long text in windows and scores each token once', async () => {
    const read: number[][] = [];
    const view = await trainingView(text(23, read, 4));
    assert.deepEqual(
      read.map(({ length }) => length),
      [10, 10, 10, 10, 7],
    );
    assert.deepEqual(
      view.rows.map(({ position, target }) => [position, target.id]),
      Array.from({ length: 22 }, (_, position) => [position, (position + 1) % VOCABULARY]),
    );
    // The first window scores all of its tokens; the others the last 4, which see 6 tokens or more.
    assert.deepEqual(
      view.rows.map(({ context }) => context),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 6, 7, 8, 9, 6, 7, 8, 9, 6, 7, 8, 9, 6],
    );
    assert.ok(Math.abs(view.perplexity! - VOCABULARY) < 1e-9);
    assert.ok(Math.abs(view.bitsPerByte! - Math.log2(VOCABULARY) / 2) < 1e-9);
  });

  it('has nothing to score in one token', async () => {
    const view = await trainingView(text(1, [], 4));
    assert.deepEqual([view.scored, view.meanLoss, view.perplexity, view.bitsPerByte], [0, null, null, null]);
  });

  it('refuses a stride that leaves tokens out, and more windows than can be waited for', async () => {
    for (const stride of [0, 10, 1.5]) {
      await assert.rejects(trainingView(text(23, [], stride)), { code: 'argument-invalid' });
    }
    await assert.rejects(trainingView(text(1000, [], 1)), {
      code: 'text-too-long',
      message: /^The text has 1000 tokens, 991 windows at a stride of 1, and at most 200 are run;/,
    });
  });
});
