import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BytePairTokenizer } from '../../../../src/engine/model/byte-pair-tokenizer';
import { openEncoding } from '../../../../src/engine/model/encoding';
import type { Tokenizer } from '../../../../src/engine/model/tokenizer';
import { Decoder } from '../../../../src/engine/runtime/decoder';
import { logSumExp } from '../../../../src/engine/sampling/softmax';
import { PrefixTree } from '../../../../src/engine/suggest/prefix-tree';
import { RememberingModel } from '../../../../src/engine/suggest/remembering-model';
import { Suggester } from '../../../../src/engine/suggest/suggester';
import type { HeadlightError } from '../../../../src/protocol/errors';
import type { SuggestParams } from '../../../../src/protocol/suggestion';
import { buildDecoder, type DecoderShape } from '../onnx/decoder-models';

const SHAPE: DecoderShape = {
  ...{ layers: 2, heads: 2, headDim: 8, vocabSize: 50_257, contextLength: 128, mask: 'add' },
  ...{ past: true, positionIds: true },
};
const GREEDY: Omit<SuggestParams, 'text'> = {
  extent: 'line',
  sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 },
  seed: 1,
  count: 1,
  confidenceFloor: 0,
  atLeast: 1,
  maxTokens: 6,
  windowTokens: 96,
  cacheBytes: 16e6,
};

describe('Suggester', () => {
  let folder: string;
  let decoder: Decoder;
  let tokenizer: Tokenizer;
  let suggester: Suggester;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-suggester-'));
    const file = path.join(folder, 'model.onnx');
    buildDecoder(SHAPE).builder.write(file);
    const { heads, headDim } = SHAPE;
    const config = {
      ...{ architecture: 'test', ...SHAPE, kvHeads: heads, hiddenSize: heads * headDim },
      ...{ bosTokenId: null, eosTokenId: null },
    };
    decoder = await Decoder.open({ graphFile: file, config, device: 'cpu' });
    tokenizer = new BytePairTokenizer(await openEncoding('r50k_base'), SHAPE.vocabSize);
    suggester = new Suggester(tokenizer, new RememberingModel(decoder, new PrefixTree(0)), SHAPE.contextLength);
  });
  after(async () => {
    await decoder.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  /** [V], log probabilities of what follows, by a run from the start. */
  async function predictionAfter(ids: readonly number[]): Promise<Float32Array> {
    const { logits } = await decoder.forward(Uint32Array.from(ids));
    const last = logits.slice(logits.length - SHAPE.vocabSize);
    const total = logSumExp(last);
    return last.map((logit) => logit - total);
  }

  it('finishes what is typed by the most probable of all tokens that begin so, then writes the arg max', async () => {
    const { suggestions } = await suggester.suggest({ ...GREEDY, text: 'import conso' });
    const [{ tokens, text }] = suggestions;
    const ids = [...tokenizer.split('import conso').ids];
    assert.deepEqual(
      ids.map((id) => tokenizer.textOf(id)),
      ['import', ' con', 'so'],
    );
    // Either ` con` and something that begins with `so`, or one that begins with ` conso`, or what follows them.
    const afterImport = await predictionAfter(ids.slice(0, 1));
    const afterCon = await predictionAfter(ids.slice(0, 2));
    const weights = new Map<string, number>();
    for (let id = 0; id < SHAPE.vocabSize - 1; id++) {
      const spelled = Buffer.from(tokenizer.bytesOf(id)).toString('latin1');
      if (spelled.startsWith('so') && spelled !== 'so') {
        weights.set(`2 ${id}`, afterImport[ids[1]] + afterCon[id]);
      } else if (spelled.startsWith(' conso') && spelled !== ' conso') {
        weights.set(`1 ${id}`, afterImport[id]);
      }
    }
    weights.set('3', afterImport[ids[1]] + afterCon[ids[2]]);
    const [best] = [...weights].reduce((a, b) => (b[1] > a[1] ? b : a));
    const [kept, firstId] = best.split(' ').map(Number);
    assert.equal(tokens[0].id, firstId);
    assert.equal(tokens[0].typed, kept === 2 ? 'so' : ' conso');
    const all = [...weights.values()].reduce((sum, weight) => sum + Math.exp(weight), 0);
    const confidence = Math.exp(weights.get(best)!) / all;
    assert.ok(Math.abs(tokens[0].confidence - confidence) < 1e-4 * confidence + 1e-9);

    const written = [...ids.slice(0, kept), firstId];
    for (const token of tokens.slice(1)) {
      const prediction = await predictionAfter(written);
      const order = Array.from(prediction.keys()).sort((a, b) => prediction[b] - prediction[a]);
      assert.equal(token.id, order[0]);
      assert.deepEqual(
        token.runnersUp.map(({ id }) => id),
        order.slice(1, 3),
      );
      assert.ok(Math.abs(token.probability - Math.exp(prediction[order[0]])) < 1e-5);
      written.push(token.id);
    }
    assert.equal(tokens.map((token) => token.text).join(''), text);
  });

  it('reads nothing again where the text is the same, and little where a character more is typed', async () => {
    const text = 'function add(first, second) {\n  return first + sec';
    await suggester.suggest({ ...GREEDY, text });
    const again = await suggester.suggest({ ...GREEDY, text });
    assert.equal(again.readTokens, 0);
    const more = await suggester.suggest({ ...GREEDY, text: `${text}o` });
    assert.ok(more.readTokens <= 2, `${more.readTokens} tokens were read`);
    const back = await suggester.suggest({ ...GREEDY, text });
    assert.deepEqual(back.suggestions, again.suggestions);
    assert.equal(back.readTokens, 0);
  });

  it('gives the most probable branches as alternatives, each with its probability', async () => {
    const text = 'const value = f';
    const { suggestions } = await suggester.suggest({ ...GREEDY, text, count: 4 });
    const [own] = (await suggester.suggest({ ...GREEDY, text })).suggestions;
    assert.equal(suggestions[0].text, own.text);
    assert.equal(new Set(suggestions.map((suggestion) => suggestion.text)).size, suggestions.length);
    assert.ok(suggestions.length > 1);
    for (const { tokens, probability } of suggestions) {
      const product = tokens.reduce((all, { confidence }) => all * confidence, 1);
      assert.ok(Math.abs(probability - product) <= 1e-12);
      assert.ok(tokens.every(({ runnersUp }) => runnersUp.length === 2));
    }
  });

  it('draws the same with the same seed', async () => {
    const sampler = { temperature: 1.5, topK: 0, topP: 1, minP: 0 };
    const texts = [];
    for (const seed of [3, 3, 4]) {
      const { suggestions } = await suggester.suggest({ ...GREEDY, text: 'the', sampler, seed });
      texts.push(suggestions[0]?.text);
    }
    assert.equal(texts[0], texts[1]);
    assert.notEqual(texts[0], texts[2]);
  });

  it('says nothing below the confidence floor, unless a token is wanted in any case', async () => {
    const params = { ...GREEDY, text: 'const value = ', confidenceFloor: 0.999 };
    assert.deepEqual((await suggester.suggest({ ...params, atLeast: 0 })).suggestions, []);
    const [one] = (await suggester.suggest({ ...params, atLeast: 1 })).suggestions;
    assert.equal(one.tokens.length, 1);
    assert.equal(one.ended, 'confidence');
  });

  it('ends the request under way for a newer one', async () => {
    const older = suggester.suggest({ ...GREEDY, text: 'one text and then', maxTokens: 30 });
    const newer = suggester.suggest({ ...GREEDY, text: 'another' });
    await assert.rejects(older, ({ code }: HeadlightError) => code === 'cancelled');
    assert.equal((await newer).promptTokens, 1);
  });

  it('lets other work with the model in between two tokens', async () => {
    const order: string[] = [];
    let turn: Promise<unknown> = Promise.resolve();
    const inTurn = <T>(name: string, work: () => Promise<T>): Promise<T> => {
      const result = turn.then(() => {
        order.push(name);
        return work();
      });
      turn = result.catch(() => undefined);
      return result;
    };
    const params = { ...GREEDY, text: 'quite another beginning ', extent: 'block', maxTokens: 5 } as const;
    const suggesting = suggester.suggest(params, undefined, (work) => inTurn('token', work));
    while (order.length < 2) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await inTurn('trace', async () => {});
    await suggesting;
    assert.ok(order.indexOf('trace') < order.lastIndexOf('token'), order.join(' '));
  });

  for (const [name, text] of Object.entries({
    'line ends of Windows': 'if (a) {\r\n\treturn b;\r\n}\r\nels',
    tabs: 'def f():\n\t\tx = 1\n\t\t',
    emoji: 'a smile 😀 and a fami👩‍👩‍👧‍👦 y',
    'half a surrogate pair': 'broken \ud83d half',
    'one token': 'a',
    'a text longer than the window': 'words and words and more of them\n'.repeat(60),
  })) {
    it(`survives ${name}`, async () => {
      const { suggestions, promptTokens } = await suggester.suggest({ ...GREEDY, text, extent: 'block', count: 2 });
      assert.ok(promptTokens > 0 && promptTokens <= GREEDY.windowTokens);
      for (const suggestion of suggestions) {
        assert.ok(!suggestion.text.includes('\ufffd'));
        assert.ok(suggestion.tokens.every(({ typed }) => text.endsWith(typed)));
      }
    });
  }

  it('reads the token first that the model is used to find before a text', async () => {
    const started = new BytePairTokenizer(await openEncoding('r50k_base'), SHAPE.vocabSize, 50_256);
    const model = new RememberingModel(decoder, new PrefixTree(0));
    const { suggestions, promptTokens } = await new Suggester(started, model, SHAPE.contextLength).suggest({
      ...GREEDY,
      text: 'import conso',
    });
    assert.equal(promptTokens, 4);
    const ids = [50_256, ...tokenizer.split('import conso').ids];
    const weights = await predictionAfter(ids.slice(0, 2));
    const [{ typed, id, probability }] = suggestions[0].tokens;
    assert.ok(typed !== ' conso' || Math.abs(probability - Math.exp(weights[id])) < 1e-6);
    const without = await suggester.suggest({ ...GREEDY, text: 'import conso' });
    assert.notEqual(without.suggestions[0].tokens[0].probability, probability);
  });

  it('has nothing to say to an empty text', async () => {
    assert.deepEqual((await suggester.suggest({ ...GREEDY, text: '' })).suggestions, []);
  });
});
