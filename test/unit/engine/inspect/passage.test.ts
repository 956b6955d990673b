import assert from 'node:assert/strict';
import { tokenizePassage } from '../../../../src/engine/inspect/passage';
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
