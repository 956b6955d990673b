import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { secondCopyScores } from '../../../../src/engine/inspect/head-scores';
import { Inspector } from '../../../../src/engine/inspect/inspector';
import { HEAD_SCORES } from '../../../../src/protocol/heads';

const LENGTH = 5;
const TOKENS = 2 * LENGTH + 1;
const GOLDEN = path.resolve('test/parity/golden/models');

/** [T, T]: a head whose queries each look at one key, where there is one. */
function looking(at: (query: number) => number): Float32Array {
  const weights = new Float32Array(TOKENS * TOKENS);
  for (let query = 0; query < TOKENS; query++) {
    const key = at(query);
    weights[query * TOKENS + (key >= 0 && key <= query ? key : query)] = 1;
  }
  return weights;
}

describe('head scores', () => {
  it('know a head of each kind, and no other', () => {
    const kinds = {
      previous: looking((query) => query - 1),
      induction: looking((query) => query - LENGTH + 1),
      duplicate: looking((query) => query - LENGTH),
      first: looking(() => 0),
    };
    for (const kind of HEAD_SCORES) {
      const scores = secondCopyScores(kinds[kind], LENGTH);
      for (const name of HEAD_SCORES) {
        assert.equal(scores[name], name === kind ? 1 : 0, `${name} of a head of the kind ${kind}`);
      }
    }
  });

  it('look at the second copy alone', () => {
    const early = looking((query) => (query <= LENGTH ? 0 : query));
    assert.equal(secondCopyScores(early, LENGTH).first, 0);
  });

  for (const name of readdirSync(GOLDEN).sort()) {
    it(`are there for every head of ${name}`, async () => {
      const inspector = await Inspector.open({ directory: path.join(GOLDEN, name), device: 'cpu' });
      try {
        const { vocabSize } = inspector.loaded.model;
        const trace = await inspector.traceIds([1, 2, 3, 1, 2].map((id) => id % vocabSize));
        const scores = await inspector.headScores({ traceId: trace.id });
        const { length, repeatedIds, controlIds } = scores.randomText;
        assert.deepEqual(repeatedIds.subarray(1, length + 1), repeatedIds.subarray(length + 1));
        assert.equal(new Set(controlIds).size, 2 * length + 1, 'the control repeats nothing');
        for (const text of ['passage', 'repeated', 'control'] as const) {
          for (const score of HEAD_SCORES) {
            const column = scores[text][score];
            assert.equal(column.length, scores.layers * scores.heads);
            assert.ok(
              column.every((value) => value >= 0 && value <= 1 + 1e-6),
              `${text}.${score}: ${column}`,
            );
          }
        }
      } finally {
        await inspector.dispose();
      }
    });
  }

  it('come a layer at a time, and go on where they were cancelled', async () => {
    const name = readdirSync(GOLDEN).find((each) => each.startsWith('gpt2'))!;
    const inspector = await Inspector.open({ directory: path.join(GOLDEN, name), device: 'cpu' });
    try {
      const { id: traceId, model } = await inspector.traceIds([1, 2, 3]);
      const cancelled = { isCancellationRequested: true };
      const piece = { traceId, withinMs: 0 };
      for (let done = 1; done <= 2 * model.layers; done++) {
        assert.deepEqual(await inspector.scoreHeads(piece), { scores: null, done, of: 2 * model.layers });
        await assert.rejects(inspector.scoreHeads(piece, cancelled), { code: 'cancelled' });
      }
      const { scores } = await inspector.scoreHeads(piece);
      assert.deepEqual(scores, await inspector.headScores({ traceId }));
    } finally {
      await inspector.dispose();
    }
  });

  it('are run once a model, and can be cancelled', async () => {
    const name = readdirSync(GOLDEN).find((each) => each.startsWith('gpt2'))!;
    const inspector = await Inspector.open({ directory: path.join(GOLDEN, name), device: 'cpu' });
    try {
      await assert.rejects(inspector.headScores({ traceId: 0 }), { code: 'trace-unknown' });
      const trace = await inspector.traceIds([1, 2, 3]);
      await assert.rejects(inspector.headScores({ traceId: trace.id }, { isCancellationRequested: true }), {
        code: 'cancelled',
      });
      const { repeated } = await inspector.headScores({ traceId: trace.id });
      const again = await inspector.headScores({ traceId: (await inspector.traceIds([4, 5, 6])).id });
      assert.equal(again.repeated, repeated, 'the random text is run once a model');
    } finally {
      await inspector.dispose();
    }
  });
});
