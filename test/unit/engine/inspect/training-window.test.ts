import assert from 'node:assert/strict';
import { type TrainingText, trainingWindow } from '../../../../src/engine/inspect/training-window';
import { type TrainingView, withWindow } from '../../../../src/protocol/training';

const VOCABULARY = 7;
const CONTEXT = 10;

/** Reads with a model that thinks every token equally likely, and remembers what it read. Tokens have two bytes each. */
function textOf(length: number, read: { tokens: number; rows: number }[] = []): TrainingText {
  const decoder: TrainingText['decoder'] = {
    score: async (ids, { from, to }) => {
      read.push({ tokens: ids.length, rows: to - from });
      const score = {
        ...{ logProbability: -Math.log(VOCABULARY), rank: 1, entropy: Math.log2(VOCABULARY) },
        largestProbability: 1 / VOCABULARY,
      };
      return { scores: Array.from({ length: to - from }, () => score), lastLogits: new Float32Array(VOCABULARY) };
    },
  };
  return {
    decoder,
    tokenizer: { textOf: String, bytesOf: () => new Uint8Array(2) },
    ids: Uint32Array.from({ length }, (_, index) => index % VOCABULARY),
    known: null,
    contextLength: CONTEXT,
  };
}

async function wholeText(text: TrainingText, stride: number): Promise<TrainingView> {
  let view = withWindow(null, await trainingWindow(text, stride, 0));
  while (view.windowsRead < view.windows) {
    view = withWindow(view, await trainingWindow(text, stride, view.windowsRead));
  }
  return view;
}

describe('the training view', () => {
  it('reads a long text in windows and scores each token once, with the longest context', async () => {
    const read: { tokens: number; rows: number }[] = [];
    const view = await wholeText(textOf(24, read), 4);
    assert.deepEqual(
      read,
      [9, 4, 4, 4, 2].map((rows) => ({ tokens: CONTEXT, rows })),
    );
    assert.deepEqual(
      view.rows.map(({ position, target }) => [position, target.id]),
      Array.from({ length: 23 }, (_, position) => [position, (position + 1) % VOCABULARY]),
    );
    // The first window scores all of its tokens; the others their last 4, and the last, which is full too, its last 2.
    assert.deepEqual(
      view.rows.map(({ context }) => context),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 6, 7, 8, 9, 6, 7, 8, 9, 6, 7, 8, 9, 8, 9],
    );
    assert.deepEqual([view.scored, view.losses.length], [23, 23]);
    assert.ok(Math.abs(view.perplexity! - VOCABULARY) < 1e-9);
    assert.ok(Math.abs(view.bitsPerByte! - Math.log2(VOCABULARY) / 2) < 1e-9);
  });

  for (const stride of [1, 3, 9]) {
    for (const length of [9, 10, 11, 19, 20, 21]) {
      it(`scores each of ${length} tokens once at a stride of ${stride}`, async () => {
        const { rows, scored } = await wholeText(textOf(length), stride);
        assert.equal(scored, length - 1);
        for (const [at, { position, context }] of rows.entries()) {
          assert.equal(position, at);
          assert.ok(context === position + 1 || context >= CONTEXT - stride, `${context} before #${position + 1}`);
        }
      });
    }
  }

  it('lists the first of very many, and sums up all', async () => {
    const view = await wholeText(textOf(5000), 9);
    assert.deepEqual([view.rows.length, view.scored, view.losses.length], [2048, 4999, 4999]);
    assert.equal(view.rows.at(-1)!.position, 2047);
    assert.ok(Math.abs(view.meanLoss! - Math.log(VOCABULARY)) < 1e-9);
  });

  it('has nothing to score in one token', async () => {
    const view = await wholeText(textOf(1), 4);
    assert.deepEqual([view.scored, view.meanLoss, view.perplexity, view.bitsPerByte], [0, null, null, null]);
  });

  it('refuses a stride that leaves tokens out, and a window that is not there', async () => {
    for (const stride of [0, 10, 1.5]) {
      await assert.rejects(trainingWindow(textOf(23), stride, 0), {
        code: 'argument-invalid',
        message: /leaves tokens out/,
      });
    }
    for (const window of [-1, 5, 0.5]) {
      await assert.rejects(trainingWindow(textOf(24), 4, window), {
        code: 'argument-invalid',
        message: /^There is no window .+; the text has 5\.$/,
      });
    }
  });

  it('is cancelled between two windows', async () => {
    const cancelled = { isCancellationRequested: true };
    await assert.rejects(trainingWindow(textOf(24), 4, 0, cancelled), { code: 'cancelled' });
  });
});
