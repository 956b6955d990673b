import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { HuggingFaceTokenizer } from '../../../../src/engine/model/hugging-face-tokenizer';
import type { TokenizerJson } from '../../../../src/engine/model/tokenizer-json';

const GOLDEN = path.resolve('test/parity/golden/tokenizers');
const VOCAB_SIZE = 1000;

interface Golden {
  readonly tokenizer: TokenizerJson;
  /** Ids by Hugging Face's own library, without a beginning and with special tokens read as text, and as what they are. */
  readonly expected: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly special?: readonly number[];
  }[];
}

async function golden(name: string): Promise<Golden & { readonly built: HuggingFaceTokenizer }> {
  const content: Golden = JSON.parse(await readFile(path.join(GOLDEN, `${name}.json`), 'utf8'));
  return { ...content, built: new HuggingFaceTokenizer(content.tokenizer, VOCAB_SIZE, null, `${name}.json`) };
}

/** Control characters that are absent from the vocabulary of `byte-level-digits`, or that `unigram-compiled` makes nothing of. */
const LEFT_OUT = /^[\s\x04\x08\x14]*$/;

/** A text of sentences, with what tokenizers stumble over in between. */
const LONG = Array.from(
  { length: 40 },
  (_, index) => `The reader number ${index} of the naïve theory 语言 \n\n  ran  away <tool> thether 😀 over the thing.`,
).join(' ');

const KINDS = [
  'byte-level',
  'byte-level-prefix-space',
  'byte-level-digits',
  'sentencepiece-bpe',
  'sentencepiece-bpe-unknown',
  'unigram',
  'unigram-compiled',
];

describe('a tokenizer.json of any kind', () => {
  for (const kind of KINDS) {
    it(`${kind}: gives the ids of the reference`, async () => {
      const { built, expected } = await golden(kind);
      for (const { text, ids } of expected) {
        assert.deepEqual([...built.split(text).ids], ids, JSON.stringify(text));
      }
    });

    it(`${kind}: reads special tokens where that is asked for`, async () => {
      const { built, expected } = await golden(kind);
      assert.ok(expected.some(({ special }) => special !== undefined));
      for (const { text, ids, special = ids } of expected) {
        const splits = built.split(text, true);
        assert.deepEqual([...splits.ids], special, JSON.stringify(text));
        const range = built.splitRange(text, { from: 0, to: text.length }, true);
        // What is put before the text overlaps nothing.
        assert.deepEqual(
          [...range.ids],
          [...splits.ids.filter((_, at) => splits.starts[at] < text.length && splits.ends[at] > 0)],
        );
      }
    });

    it(`${kind}: covers the text from left to right, byte for byte`, async () => {
      const { built, expected } = await golden(kind);
      for (const { text } of expected) {
        const { ids, starts, ends, byteOffsets } = built.split(text);
        assert.equal(byteOffsets[ids.length], Buffer.byteLength(text), JSON.stringify(text));
        let covered = 0;
        for (let i = 0; i < ids.length; i++) {
          assert.ok(byteOffsets[i] <= byteOffsets[i + 1] && starts[i] <= ends[i]);
          // What no token covers is white space that the tokenizer left out, or what its vocabulary lacks.
          assert.match(text.slice(covered, starts[i]), LEFT_OUT, `${JSON.stringify(text)} before token ${i}`);
          assert.equal(Buffer.byteLength(text.slice(0, starts[i])) <= byteOffsets[i], true);
          covered = Math.max(covered, ends[i]);
        }
        assert.match(text.slice(covered), LEFT_OUT);
      }
    });

    it(`${kind}: splits a range as it splits the whole text`, async () => {
      const { built } = await golden(kind);
      const whole = built.split(LONG);
      for (const [from, to] of [
        [0, 20],
        [500, 640],
        [1, 2],
        [LONG.length - 30, LONG.length],
      ]) {
        const part = built.splitRange(LONG, { from, to });
        const indices = [...whole.ids.keys()].filter((i) => whole.starts[i] < to && whole.ends[i] > from);
        assert.deepEqual(
          [...part.ids],
          indices.map((i) => whole.ids[i]),
        );
        assert.deepEqual(
          [...part.starts],
          indices.map((i) => whole.starts[i]),
        );
        assert.deepEqual(
          [...part.byteOffsets.subarray(0, -1)],
          indices.map((i) => whole.byteOffsets[i]),
        );
      }
    });
  }

  it('says which bytes a token is: a mark is a space, a byte token its byte', async () => {
    const { built } = await golden('sentencepiece-bpe');
    const { ids, starts, ends } = built.split('The 😀');
    assert.equal(
      [...ids].map((id) => Buffer.from(built.bytesOf(id)).toString('latin1')).join(''),
      ' The \xf0\x9f\x98\x80',
    );
    assert.deepEqual([...starts.slice(-4)], [4, 4, 4, 4]);
    assert.deepEqual([...ends.slice(-4)], [6, 6, 6, 6]);
    assert.equal(starts[0], 0);
    assert.equal(built.textOf(1), '<s>');
    assert.equal(built.specialTokenOf(1), '<s>');
  });

  it('never makes special tokens of text, but added words that are none', async () => {
    const { built, tokenizer } = await golden('sentencepiece-bpe');
    const tool = tokenizer.added_tokens!.find(({ content }) => content === '<tool>')!.id;
    const { ids, starts, ends } = built.split('a <s> b<tool>c');
    assert.ok([...ids].every((id) => built.specialTokenOf(id) === null));
    const at = ids.indexOf(tool);
    assert.deepEqual([starts[at], ends[at]], [7, 13]);
  });

  it('covers composed characters by the characters that they came from', async () => {
    const { built } = await golden('byte-level');
    const text = 'cafe\u0301 x';
    const { ids, starts, ends } = built.split(text);
    const composed = [...ids.keys()].filter((i) => starts[i] === 3);
    assert.ok(composed.length > 0 && composed.every((i) => ends[i] === 5));
    assert.equal(Math.max(...ends), text.length);
  });

  it('refuses the kinds that it does not read, in one sentence', async () => {
    const { tokenizer } = await golden('byte-level');
    const open = (model: object) =>
      new HuggingFaceTokenizer({ ...tokenizer, model: { ...tokenizer.model, ...model } }, VOCAB_SIZE, null, 't.json');
    assert.throws(() => open({ type: 'WordPiece' }), {
      code: 'tokenizer-unsupported',
      message: /its model is WordPiece/,
    });
    assert.throws(() => open({ end_of_word_suffix: '</w>' }), { message: /marks parts of words/ });
  });
});
