import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { readByteLevel } from '../../../../src/engine/model/byte-level';
import { BytePairTokenizer } from '../../../../src/engine/model/byte-pair-tokenizer';
import { type EncodingName, openEncoding } from '../../../../src/engine/model/encoding';
import { HuggingFaceTokenizer } from '../../../../src/engine/model/hugging-face-tokenizer';
import { readTokenizerJson, recogniseEncoding, type TokenizerJson } from '../../../../src/engine/model/tokenizer-json';
import type { Vocabulary } from '../../../../src/engine/model/vocabulary';

const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const END_OF_TEXT = { id: 50256, content: '<|endoftext|>', special: true };

/** By byte, as GPT-2's encoder.py makes it: printable Latin-1 first, then the others from U+0100 on. */
const BYTE_LEVEL_ALPHABET: string[] = Array.from({ length: 256 }, () => '');
for (const [first, last] of [
  [0x21, 0x7e],
  [0xa1, 0xac],
  [0xae, 0xff],
]) {
  for (let byte = first; byte <= last; byte++) {
    BYTE_LEVEL_ALPHABET[byte] = String.fromCharCode(byte);
  }
}
let nextCode = 0x100;
for (let byte = 0; byte < 256; byte++) {
  BYTE_LEVEL_ALPHABET[byte] ||= String.fromCharCode(nextCode++);
}

function byteLevelText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => BYTE_LEVEL_ALPHABET[byte]).join('');
}

/** The merges of a vocabulary, worked out from the ranks alone: the last merge that makes each token of its bytes. */
function mergesOf(vocabulary: Vocabulary): string[] {
  const merges: string[] = [];
  for (let id = 0; id < vocabulary.size; id++) {
    const bytes = vocabulary.bytesOf(id);
    if (bytes.length < 2) {
      continue;
    }
    const bounds = [...bytes.keys(), bytes.length];
    while (bounds.length > 3) {
      let lowest = id;
      let at = -1;
      for (let i = 0; i + 2 < bounds.length; i++) {
        const rank = vocabulary.find(bytes, bounds[i], bounds[i + 2]);
        if (rank >= 0 && rank < lowest) {
          lowest = rank;
          at = i;
        }
      }
      bounds.splice(at + 1, 1);
    }
    merges.push(`${byteLevelText(bytes.subarray(0, bounds[1]))} ${byteLevelText(bytes.subarray(bounds[1]))}`);
  }
  return merges;
}

async function tokenizerJson(name: EncodingName) {
  const { vocabulary } = await openEncoding(name);
  const vocab: Record<string, number> = {};
  for (let id = 0; id < vocabulary.size; id++) {
    const bytes = vocabulary.bytesOf(id);
    if (bytes.length > 0) {
      vocab[byteLevelText(bytes)] = id;
    }
  }
  return {
    added_tokens: [] as { id: number; content: string; special: boolean }[],
    normalizer: null as unknown,
    pre_tokenizer: BYTE_LEVEL as unknown,
    model: { type: 'BPE', dropout: null as number | null, vocab, merges: mergesOf(vocabulary) as unknown[] },
  };
}

describe('tokenizer.json', () => {
  let folder: string;
  let file: string;
  let gpt2: Awaited<ReturnType<typeof tokenizerJson>>;

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'headlight-tokenizer-'));
    file = path.join(folder, 'tokenizer.json');
    gpt2 = await tokenizerJson('r50k_base');
    gpt2.added_tokens.push(END_OF_TEXT);
    gpt2.model.vocab['<|endoftext|>'] = 50256;
  });
  after(() => rm(folder, { recursive: true }));

  async function recognise(json: unknown) {
    await writeFile(file, JSON.stringify(json));
    return recogniseEncoding(await readTokenizerJson(file));
  }

  it('reads bytes in the byte-level alphabet', () => {
    const read = (token: string): Buffer | null => {
      const bytes = new Uint8Array(token.length);
      const length = readByteLevel(token, bytes);
      return length < 0 ? null : Buffer.from(bytes.subarray(0, length));
    };
    assert.equal(read('ĠaĊä¸Ń')?.toString(), ' a\n中');
    assert.deepEqual(read(BYTE_LEVEL_ALPHABET.join('')), Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
    assert.equal(read('a b'), null);
    assert.equal(read('a中'), null);
  });

  it('is recognised as r50k_base, in the old and the new spelling of merges', async () => {
    assert.equal((await recognise(gpt2))?.name, 'r50k_base');
    const merges = gpt2.model.merges.map((merge) => String(merge).split(' '));
    assert.equal((await recognise({ ...gpt2, model: { ...gpt2.model, merges } }))?.name, 'r50k_base');
  });

  it('is recognised as each other encoding, by its pattern and special tokens', async () => {
    const p50k = await tokenizerJson('p50k_base');
    assert.equal((await recognise(p50k))?.name, 'p50k_base');
    const edit = [END_OF_TEXT, { id: 50281, content: '<|fim_prefix|>', special: true }];
    assert.equal((await recognise({ ...p50k, added_tokens: edit }))?.name, 'p50k_edit');

    const pattern = (Regex: string) => ({
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
        { ...BYTE_LEVEL, use_regex: false },
      ],
    });
    const o200k = {
      ...(await tokenizerJson('o200k_base')),
      pre_tokenizer: pattern(
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      ),
    };
    assert.equal((await recognise(o200k))?.name, 'o200k_base');
    const harmony = [{ id: 199998, content: '<|startoftext|>', special: true }];
    assert.equal((await recognise({ ...o200k, added_tokens: harmony }))?.name, 'o200k_harmony');

    const cl100k = {
      ...(await tokenizerJson('cl100k_base')),
      pre_tokenizer: pattern(
        "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
      ),
    };
    assert.equal((await recognise(cl100k))?.name, 'cl100k_base');
  }).timeout(60_000);

  it('keeps special tokens that the encoding does not have', async () => {
    const pad = { id: 50257, content: '<|pad|>', special: true };
    const encoding = await recognise({ ...gpt2, added_tokens: [END_OF_TEXT, pad] });
    assert.equal(encoding?.specialTokens.get(50257), '<|pad|>');
    assert.equal(encoding?.specialTokens.get(50256), '<|endoftext|>');
    assert.equal((await openEncoding('r50k_base')).specialTokens.has(50257), false);
  });

  it('is none of them where anything that decides the ids is different', async () => {
    const swap = [...gpt2.model.merges];
    [swap[100], swap[101]] = [swap[101], swap[100]];
    const otherIds = { ...gpt2.model.vocab, '!': 1, '"': 0 };
    const { '!': _, ...fewer } = gpt2.model.vocab;
    const others: [string, object][] = [
      ['other merges', { model: { ...gpt2.model, merges: swap } }],
      ['fewer merges', { model: { ...gpt2.model, merges: swap.slice(1) } }],
      ['other ids', { model: { ...gpt2.model, vocab: otherIds } }],
      ['fewer ids', { model: { ...gpt2.model, vocab: fewer } }],
      ['a normalizer', { normalizer: { type: 'NFC' } }],
      ['a prefix space', { pre_tokenizer: { ...BYTE_LEVEL, add_prefix_space: true } }],
      ['no cutting', { pre_tokenizer: { ...BYTE_LEVEL, use_regex: false } }],
      ['no pre-tokenizer', { pre_tokenizer: null }],
      ['dropout', { model: { ...gpt2.model, dropout: 0.1 } }],
      ['words', { added_tokens: [END_OF_TEXT, { id: 50257, content: 'hello', special: false }] }],
      ['Unigram', { model: { type: 'Unigram', vocab: [['a', 0]] } }],
    ];
    for (const [what, change] of others) {
      assert.equal(await recognise({ ...gpt2, ...change }), null, what);
    }
  }).timeout(60_000);

  it('gives the same ids through the library as on the fast path', async () => {
    const fast = new BytePairTokenizer((await recognise(gpt2))!, 50_257);
    const general = new HuggingFaceTokenizer(gpt2 as unknown as TokenizerJson, 50_257, null, file);
    const texts = [
      'A journey of a thousand miles begins with a single step.',
      "export const naïve = '语言模型 😀';\r\n\t// it's  <|endoftext|>\n\n",
      '   trailing   \n',
      'lone \ud83d surrogate, NUL \0',
    ];
    for (const text of texts) {
      assert.deepEqual(general.split(text), fast.split(text), text);
    }
  }).timeout(60_000);

  it('is damaged where its parts do not have their shape', async () => {
    for (const json of [
      null,
      [],
      {},
      { model: { vocab: [] } },
      { ...gpt2, added_tokens: [null] },
      { ...gpt2, pre_tokenizer: 3 },
    ]) {
      await assert.rejects(recognise(json), {
        code: 'model-invalid',
        message: /tokenizer\.json does not have the parts/,
      });
    }
  });
});
