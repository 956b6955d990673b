import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BytePairTokenizer } from '../../../../src/engine/model/byte-pair-tokenizer';
import { openEncoding } from '../../../../src/engine/model/encoding';
import type { Tokenizer } from '../../../../src/engine/model/tokenizer';
import { Decoder } from '../../../../src/engine/runtime/decoder';
import { logSumExp } from '../../../../src/engine/sampling/softmax';
import { continueFrom } from '../../../../src/engine/suggest/continuation';
import { PrefixTree } from '../../../../src/engine/suggest/prefix-tree';
import { RememberingModel } from '../../../../src/engine/suggest/remembering-model';
import type { Continuation, ContinuationParams } from '../../../../src/protocol/continuation';
import type { HeadlightError } from '../../../../src/protocol/errors';
import { buildDecoder, configOf, type DecoderShape } from '../onnx/decoder-models';

const SHAPE: DecoderShape = {
  ...{ layers: 2, heads: 2, headDim: 8, vocabSize: 50_257, contextLength: 64, mask: 'add' },
  ...{ past: true, positionIds: true },
};
const GREEDY: Omit<ContinuationParams, 'traceId' | 'keep'> = {
  ...{ behind: [], count: 5, untilLineEnd: false, seed: 1, limit: 4, withinMs: null },
  sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 },
};

describe('continueFrom', () => {
  let folder: string;
  let decoder: Decoder;
  let tokenizer: Tokenizer;
  let model: RememberingModel;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-continuation-'));
    const file = path.join(folder, 'model.onnx');
    buildDecoder(SHAPE).builder.write(file);
    decoder = await Decoder.open({ graphFile: file, config: configOf(SHAPE), device: 'cpu' });
    tokenizer = new BytePairTokenizer(await openEncoding('r50k_base'), SHAPE.vocabSize);
    model = new RememberingModel(decoder, new PrefixTree(0));
  });
  after(async () => {
    await decoder.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  function go(
    kept: readonly number[],
    params: Partial<ContinuationParams> = {},
    endToken: number | null = null,
  ): Promise<Continuation> {
    const options = { model, tokenizer, contextLength: SHAPE.contextLength, endToken };
    return continueFrom(kept, { ...GREEDY, ...params }, options, (work) => work());
  }

  /** [V], log probabilities of what follows, by a run from the start. */
  async function predictionAfter(ids: readonly number[]): Promise<Float32Array> {
    const { logits } = await decoder.forward(Uint32Array.from(ids));
    const last = logits.slice(logits.length - SHAPE.vocabSize);
    const total = logSumExp(last);
    return last.map((logit) => logit - total);
  }

  const prompt = () => [...tokenizer.split('function add(first, second) {').ids];

  it('ends with the token that the configuration names', async () => {
    const whole = await go(prompt());
    assert.equal(whole.ended, 'count');
    const ids = whole.tokens.map(({ id }) => id);
    const { tokens, ended } = await go(prompt(), {}, ids[2]);
    assert.deepEqual([tokens.map(({ id }) => id), ended], [ids.slice(0, ids.indexOf(ids[2]) + 1), 'end-token']);
  });

  it('writes the arg max with its probability, its rank and what else there was', async () => {
    const written = prompt();
    const { tokens, ended } = await go(written);
    assert.equal(ended, 'count');
    assert.equal(tokens.length, 5);
    for (const token of tokens) {
      const prediction = await predictionAfter(written);
      const order = Array.from(prediction.keys()).sort((a, b) => prediction[b] - prediction[a]);
      assert.deepEqual(
        token.candidates.map(({ id }) => id),
        order.slice(0, 4),
      );
      assert.equal(token.id, order[0]);
      assert.equal(token.rank, 1);
      assert.equal(token.samplerProbability, 1);
      for (const { id, probability } of token.candidates) {
        assert.ok(Math.abs(probability - Math.exp(prediction[id])) < 1e-5);
      }
      written.push(token.id);
    }
  });

  it('reads a token once and keeps it, and goes back to any place without reading what stands before', async () => {
    const kept = [...tokenizer.split('Somewhere else altogether, a beginning').ids];
    const first = await go(kept, { count: 3 });
    assert.deepEqual(
      first.tokens.map(({ reused, read }) => [reused, read]),
      [
        [0, kept.length],
        [kept.length, 1],
        [kept.length + 1, 1],
      ],
    );
    assert.equal(first.cacheBytesPerToken, 2 * 2 * 2 * 8 * 4);
    const other = first.tokens[1].candidates[2].id;
    const branch = await go(kept, { behind: [first.tokens[0].id, other], count: 1 });
    assert.equal(branch.tokens[0].reused + branch.tokens[0].read, kept.length + 2);
    assert.equal(branch.tokens[0].read, 1);
    const prediction = await predictionAfter([...kept, first.tokens[0].id, other]);
    assert.ok(Math.abs(branch.tokens[0].probability - Math.exp(prediction[branch.tokens[0].id])) < 1e-5);
  });

  it('draws the same tokens one at a time and all at once', async () => {
    const sampler = { temperature: 1, topK: 0, topP: 0.9, minP: 0 };
    const { tokens } = await go(prompt(), { sampler, seed: 5 });
    const ids: number[] = [];
    for (let index = 0; index < tokens.length; index++) {
      const [token] = (await go(prompt(), { sampler, seed: 5, behind: ids, count: 1 })).tokens;
      assert.ok(token.samplerProbability > token.probability);
      ids.push(token.id);
    }
    assert.deepEqual(
      tokens.map(({ id }) => id),
      ids,
    );
    const others = (await go(prompt(), { sampler, seed: 6 })).tokens.map(({ id }) => id);
    assert.notDeepEqual(others, ids);
  });

  it('gives up a part of the beginning where the context is full, the same one for some tokens', async () => {
    const kept = Array.from({ length: SHAPE.contextLength - 2 }, (_, index) => 1000 + index);
    const { tokens } = await go(kept, { count: 6 });
    assert.deepEqual(
      tokens.map(({ leftOut }) => leftOut),
      [0, 0, 0, 16, 16, 16],
    );
    const [, , , moved, next] = tokens;
    assert.equal(moved.read, SHAPE.contextLength + 1 - 16);
    assert.equal(next.read, 1);
    const before = [...kept, ...tokens.slice(0, 3).map(({ id }) => id)].slice(16);
    const prediction = await predictionAfter(before);
    assert.ok(Math.abs(moved.probability - Math.exp(prediction[moved.id])) < 1e-5);
  });

  it('stops at a line end and at an end token', async () => {
    const [lineEnd] = tokenizer.split('\n').ids;
    const [closing] = tokenizer.split(';\n').ids;
    const spelled = async (behind: readonly number[], next: number) => {
      // A model that says just this.
      const saying = {
        predict: async () => ({ predictions: [oneHot(next)], read: 1 }),
        bytesPerToken: 0,
      } as unknown as RememberingModel;
      const options = { model: saying, tokenizer, contextLength: SHAPE.contextLength, endToken: null };
      const params = { ...GREEDY, behind, untilLineEnd: true, count: 3 };
      const { tokens, ended } = await continueFrom([1], params, options, (work) => work());
      return [tokens.length, ended];
    };
    assert.deepEqual(await spelled([], lineEnd), [0, 'line']);
    assert.equal(tokenizer.textOf(closing), ';');
    assert.deepEqual(await spelled([], 50_256), [1, 'end-token']);
    assert.deepEqual(await spelled([], closing), [3, 'count']);
    // The same token again and again: one round of it is left.
    assert.deepEqual(await spelled(Array(10).fill(closing), closing), [0, 'loop']);
  });

  it('answers with what there is when its time is over', async () => {
    const { tokens, ended } = await go(prompt(), { withinMs: 0 });
    assert.deepEqual([tokens.length, ended], [1, 'time']);
  });

  it('takes turns with another text without a mistake', async () => {
    const one = go(prompt(), { count: 6 });
    const other = go([...tokenizer.split('Quite another text').ids], { count: 6 });
    const alone = await go(prompt(), { count: 6 });
    assert.deepEqual(ids(await one), ids(alone));
    assert.deepEqual(ids(await other), ids(await go([...tokenizer.split('Quite another text').ids], { count: 6 })));
  });

  for (const [what, params, sentence] of [
    ['an unknown token', { behind: [50_257] }, /There is no token 50257/],
    ['no tokens', { count: 0 }, /0 tokens cannot be generated/],
    ['half a candidate', { limit: 0.5 }, /0\.5 candidates cannot be listed/],
    ['half a seed', { seed: 0.5 }, /The seed 0\.5/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(
        go(prompt(), params),
        ({ code, message }: HeadlightError) => code === 'argument-invalid' && sentence.test(message),
      );
    });
  }
});

function ids({ tokens }: Continuation): readonly number[] {
  return tokens.map(({ id }) => id);
}

/** [V] */
function oneHot(id: number): Float32Array {
  const logits = new Float32Array(SHAPE.vocabSize);
  logits[id] = 20;
  return logits;
}
