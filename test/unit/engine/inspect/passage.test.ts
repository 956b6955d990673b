import assert from 'node:assert/strict';
import { branchPassage, tokenizePassage } from '../../../../src/engine/inspect/passage';
import { BytePairTokenizer } from '../../../../src/engine/model/byte-pair-tokenizer';
import { openEncoding } from '../../../../src/engine/model/encoding';

const TEXT = 'A journey of a thousand miles begins with a single step.';
const END_OF_TEXT = 50_256;

describe('passage', () => {
  it('begins with the token that the model is used to, which covers none of the text', async () => {
    const encoding = await openEncoding('r50k_base');
    const { tokens, truncation } = tokenizePassage(TEXT, new BytePairTokenizer(encoding, 50_257, END_OF_TEXT), 100);
    assert.equal(truncation, null);
    const { index, id, text, start, end, added } = tokens[0];
    assert.deepEqual(
      { index, id, text, start, end, added },
      {
        ...{ index: 0, id: END_OF_TEXT, text: '<|endoftext|>' },
        ...{ start: 0, end: 0, added: true },
      },
    );
    const without = tokenizePassage(TEXT, new BytePairTokenizer(encoding, 50_257), 100);
    assert.deepEqual(
      tokens.slice(1).map(({ id }) => id),
      without.tokens.map(({ id }) => id),
    );
    assert.deepEqual(
      tokens.map((token) => token.index),
      [...tokens.keys()],
    );
    assert.ok(without.tokens.every((token) => token.added === undefined));
  });

  it('leaves room for it in the context, and puts it where the text that is read begins', async () => {
    const tokenizer = new BytePairTokenizer(await openEncoding('r50k_base'), 50_257, END_OF_TEXT);
    const { tokens, truncation } = tokenizePassage(TEXT, tokenizer, 5);
    assert.equal(tokens.length, 5);
    assert.deepEqual(truncation, { totalTokens: 12, keptTokens: 4 });
    assert.equal(tokens[0].start, tokens[1].start);
    assert.equal(TEXT.slice(tokens[1].start), ' a single step.');
  });
});

describe('branched passage', () => {
  const CONTEXT = 40;

  async function tokenizerOf(startToken: number | null = null): Promise<BytePairTokenizer> {
    return new BytePairTokenizer(await openEncoding('r50k_base'), 50_257, startToken);
  }

  it('keeps its first tokens and puts others behind them, the way they were chosen', async () => {
    const tokenizer = await tokenizerOf();
    const root = tokenizePassage(TEXT, tokenizer, CONTEXT);
    // The letters one by one, which the tokenizer itself would never give.
    const behind = [...' hop'].map((letter) => tokenizer.split(letter).ids[0]);
    const { passage, from, text } = branchPassage(root, 6, behind, tokenizer, CONTEXT);
    assert.equal(TEXT.slice(0, from) + text, 'A journey of a thousand miles hop');
    assert.deepEqual(
      passage.tokens.map(({ id }) => id),
      [...root.tokens.slice(0, 6).map(({ id }) => id), ...behind],
    );
    assert.deepEqual(
      passage.wholeText,
      Uint32Array.from(passage.tokens, ({ id }) => id),
    );
    for (const [index, token] of passage.tokens.entries()) {
      assert.equal(token.index, index);
      assert.equal((TEXT.slice(0, from) + text).slice(token.start, token.end), token.text);
    }
  });

  it('lets tokens that share a character cover it whole, and reads one anew that is cut in two', async () => {
    const tokenizer = await tokenizerOf();
    const given = 'so 😀 it';
    const root = tokenizePassage(given, tokenizer, CONTEXT);
    const [, first, second] = root.tokens;
    assert.equal(root.tokens.length, 4);
    assert.deepEqual([first.start, first.end, second.start, second.end], [2, 5, 3, 5]);
    // The bytes ` \xf0\x9f\x98` are kept, and another last one makes another face.
    const [, other] = tokenizer.split(' 😉').ids;
    const { passage, from, text } = branchPassage(root, 2, [other, second.id], tokenizer, CONTEXT);
    assert.equal(from, 2);
    assert.equal(text, ' 😉\ufffd');
    const places = passage.tokens.map(({ start, end }) => [start, end]);
    assert.deepEqual(places, [
      [0, 2],
      [2, 5],
      [3, 5],
      [5, 6],
    ]);
  });

  it('gives up its first tokens where the context is full, but not the one before all', async () => {
    const tokenizer = await tokenizerOf(END_OF_TEXT);
    const root = tokenizePassage(TEXT, tokenizer, 9);
    const { passage } = branchPassage(root, 8, [100, 101, 102], tokenizer, 9);
    assert.equal(passage.tokens.length, 9);
    assert.deepEqual(passage.truncation, { totalTokens: 14, keptTokens: 8 });
    assert.deepEqual([passage.tokens[0].id, passage.tokens[0].start], [END_OF_TEXT, passage.tokens[1].start]);
    assert.deepEqual(
      passage.tokens.slice(-3).map(({ id }) => id),
      [100, 101, 102],
    );
    assert.equal(passage.wholeText.length, 15);
  });
});
