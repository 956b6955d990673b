import assert from 'node:assert/strict';
import { BytePairTokenizer } from '../../../../src/engine/model/byte-pair-tokenizer';
import { openEncoding } from '../../../../src/engine/model/encoding';
import type { Tokenizer } from '../../../../src/engine/model/tokenizer';
import { Suggester } from '../../../../src/engine/suggest/suggester';
import type { SuggestParams } from '../../../../src/protocol/suggestion';
import { ScriptedModel } from './scripted-model';

const VOCAB_SIZE = 50_257;
const END_OF_TEXT = 50_256;
const CACHE_BYTES = 64e6;
const PARAMS: Omit<SuggestParams, 'text'> = {
  ...{ extent: 'line', sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 }, seed: 1, count: 1 },
  ...{ confidenceFloor: 0.1, atLeast: 0, maxTokens: 64, windowTokens: 128, cacheBytes: CACHE_BYTES },
};

describe('what is suggested by a model that says what it is told to', () => {
  let tokenizer: Tokenizer;

  before(async () => {
    tokenizer = new BytePairTokenizer(await openEncoding('r50k_base'), VOCAB_SIZE);
  });

  /** A suggester whose model expects a prompt, then the tokens of a text or these tokens, then the end. */
  function writing(prompt: string, next: string | readonly number[]): { suggester: Suggester; runs: number[] } {
    const script = [...tokenizer.split(prompt).ids, ...(typeof next === 'string' ? tokenizer.split(next).ids : next)];
    const scripted = new ScriptedModel(({ length }) => script[length] ?? END_OF_TEXT, VOCAB_SIZE, CACHE_BYTES);
    return { suggester: new Suggester(tokenizer, scripted.model, 256), runs: scripted.runs };
  }

  async function suggested(prompt: string, next: string | readonly number[], params: Partial<SuggestParams> = {}) {
    const { suggestions } = await writing(prompt, next).suggester.suggest({ ...PARAMS, ...params, text: prompt });
    return suggestions.length === 0 ? null : { text: suggestions[0].text, ended: suggestions[0].ended };
  }

  it('ends with the line, and with the text', async () => {
    const next = ' a + b;\nconst';
    assert.deepEqual(await suggested('return', next), { text: ' a + b;', ended: 'line' });
    assert.deepEqual(await suggested('return', ' a + b;'), { text: ' a + b;', ended: 'end-token' });
    assert.deepEqual(await suggested('return', next.replace('\n', '\r\n')), { text: ' a + b;', ended: 'line' });
    assert.equal(await suggested('return', '\n'), null);
    assert.equal(await suggested('return', []), null);
  });

  it('ends with the block, with tabs, CRLF and emoji as the model wrote them', async () => {
    const block = ' (x):\r\n\t\tprint("😀 中")\r\n\t\treturn 1';
    const params = { extent: 'block' } as const;
    assert.deepEqual(await suggested('\tif', `${block}\r\n\tagain`, params), { text: block, ended: 'block' });
    const braces = ' f() {\n\treturn 1;\n}';
    assert.deepEqual(await suggested('function', `${braces}\nnext`, params), { text: braces, ended: 'block' });
  });

  it('ends where the model has begun to repeat itself', async () => {
    const [very] = tokenizer.split(' very').ids;
    const result = await suggested('It is', Array<number>(60).fill(very));
    assert.deepEqual(result, { text: ' very', ended: 'loop' });
  });

  it('never shows half a character', async () => {
    const smile = [...tokenizer.split('😀').ids];
    assert.ok(smile.length > 1);
    const ok = [...tokenizer.split(' ok').ids];
    assert.deepEqual(await suggested('all', [...ok, ...smile]), { text: ' ok😀', ended: 'end-token' });
    // The text ends, or the room does, within the character; or what follows is not the rest of it.
    const half = [...ok, ...smile.slice(0, -1)];
    assert.deepEqual(await suggested('all', half), { text: ' ok', ended: 'end-token' });
    assert.deepEqual(await suggested('all', [...ok, ...smile], { maxTokens: half.length }), {
      text: ' ok',
      ended: 'length',
    });
    assert.deepEqual(await suggested('all', [...half, ...ok]), { text: ' ok', ended: 'bytes' });
  });

  it('reads what stood there before in few runs, and writes the same', async () => {
    const line = 'console.log(first, second, third, fourth);\n';
    const { suggester, runs } = writing(`${line}console`, line.slice('console'.length));
    const { suggestions } = await suggester.suggest({ ...PARAMS, text: `${line}console` });
    assert.equal(suggestions[0].text, line.slice('console'.length, -1));
    const tokens = tokenizer.split(line).ids.length;
    assert.ok(runs.length - 1 <= Math.ceil(tokens / 3), `${runs.length} runs for ${tokens} tokens`);
  });

  it('is not led by what stood there before', async () => {
    const lines = 'a = b + c;\na = b + c;\na';
    assert.deepEqual(await suggested(lines, ' = b - d;\n'), { text: ' = b - d;', ended: 'line' });
  });

  it('reads every generated token once, and nothing for a text that was seen', async () => {
    const prompt = 'one two three';
    const { suggester, runs } = writing(prompt, ' four five six');
    await suggester.suggest({ ...PARAMS, text: prompt });
    assert.deepEqual(runs, [3, 1, 1, 1]);
    await suggester.suggest({ ...PARAMS, text: prompt });
    assert.deepEqual(runs, [3, 1, 1, 1]);
  });
});
