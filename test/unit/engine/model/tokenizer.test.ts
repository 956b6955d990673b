import assert from 'node:assert/strict';
import { getEncodingParams } from 'gpt-tokenizer/modelParams';
import { BytePairTokenizer } from '../../../../src/engine/model/byte-pair-tokenizer';
import { ENCODING_NAMES, type EncodingName, openEncoding } from '../../../../src/engine/model/encoding';
import type { Tokenizer } from '../../../../src/engine/model/tokenizer';
import { Generator } from '../../../../src/engine/sampling/generator';
import type { TextRange, TokenSplits } from '../../../../src/protocol/tokens';

const VOCAB_SIZE = 202_000;

async function tokenizerFor(name: EncodingName): Promise<Tokenizer> {
  return new BytePairTokenizer(await openEncoding(name), VOCAB_SIZE);
}

const reference: Record<EncodingName, () => Promise<{ encode: typeof import('gpt-tokenizer').encode }>> = {
  r50k_base: () => import('gpt-tokenizer/encoding/r50k_base'),
  p50k_base: () => import('gpt-tokenizer/encoding/p50k_base'),
  p50k_edit: () => import('gpt-tokenizer/encoding/p50k_edit'),
  cl100k_base: () => import('gpt-tokenizer/encoding/cl100k_base'),
  o200k_base: () => import('gpt-tokenizer/encoding/o200k_base'),
  o200k_harmony: () => import('gpt-tokenizer/encoding/o200k_harmony'),
};

const TEXTS = [
  '',
  'A journey of a thousand miles begins with a single step.',
  "export function greet(name: string): string {\r\n\treturn 'Hello, ' + name; // it's DON'T we'LL\r\n}\r\n",
  'Ein Text mit Umlauten: äöü ÄÖÜ ß — “quoted” … naïve café',
  '我们在研究语言模型的注意力机制。\n日本語のテキスト、한국어 텍스트',
  'emoji 😀👩‍👩‍👧‍👦🏳️‍🌈 and flags 🇩🇪, keycap 1️⃣',
  'combining e\u0301 a\u0308\u0323 \u0301\u0301\u0301 and zalgo z\u0335\u0321\u0322',
  'NUL \0 and \u0001\u001f\u007f\u0080\u009f controls, nbsp \u00a0\u2003\u3000 wide',
  'lone \ud83d high, lone \ude00 low, swapped \ude00\ud83d, end \ud83d',
  'a literal <|endoftext|> and <|fim_prefix|><|im_start|>',
  '<|endoftext|> at the start',
  '\n\n\n   \t\t  trailing whitespace   \n  ',
  '   ',
  ' '.repeat(300),
  `${'='.repeat(200)}\n${'-'.repeat(131)}\n${'ab'.repeat(150)}${'z'.repeat(500)}`,
  '1234567890 3.14159 ١٢٣ Ⅷ ½ 0xDEADBEEF 1e-9',
  "CamelCaseIdentifier snake_case_identifier SCREAMING_CASE iPhone's McDonald'S I'VE they'Re",
  'ǅ title case, ʰ modifier, ﬀ ligature, K Kelvin, ſ long s, it\u017f',
  'https://example.org/a/b?c=d&e=f#g/// \\n\\t /**/ //\n/\n',
];

/** U+FEFF is no white space, U+0085 is: the ids that tiktoken gives. */
const MARKED = ' \ufeffa  \ufeff';
const NEXT_LINE = 'a \u0085b \u0085 c';
const R50K = [
  [MARKED, [27332, 119, 123, 64, 220, 27332, 119, 123]],
  [NEXT_LINE, [64, 220, 126, 227, 65, 1587, 227, 269]],
] as const;
const UNICODE_SPACES: Readonly<Record<string, readonly (readonly [string, readonly number[]])[]>> = {
  r50k_base: R50K,
  p50k_base: R50K,
  cl100k_base: [
    [MARKED, [76880, 64, 220, 76880]],
    [NEXT_LINE, [64, 220, 126, 227, 65, 2188, 227, 272]],
  ],
  o200k_base: [
    [MARKED, [71280, 64, 220, 71280]],
    [NEXT_LINE, [64, 220, 126, 227, 65, 1322, 227, 274]],
  ],
};

const ALPHABET = [
  ...'aAbBzZ09 \n\t\r.,\'"/_-=(){}<|>sStTlLdDmMrReEvV',
  ...[
    'é',
    'ß',
    'ſ',
    'ǅ',
    '中',
    '文',
    '\u0301',
    '\u200d',
    '\ufe0f',
    '😀',
    '👩',
    '𝔸',
    '\ud83d',
    '\ude00',
    '\0',
    '\u00a0',
  ],
  ...['\u3000', '½', '٣', '\r\n', '  ', 'the', ' of', "'ll", '<|endoftext|>', '\u0085', 'aaaa', '\u2028'],
];

function randomText(generator: Generator, length: number): string {
  return Array.from({ length }, () => ALPHABET[Math.floor(generator.next() * ALPHABET.length)]).join('');
}

/** What `splitRange` has to give, picked from all tokens. */
function overlapping(splits: TokenSplits, { from, to }: TextRange): TokenSplits {
  const indices = [...splits.ids.keys()].filter((i) => splits.starts[i] < to && splits.ends[i] > from);
  const first = indices[0] ?? 0;
  const end = first + indices.length;
  return {
    ids: splits.ids.slice(first, end),
    starts: splits.starts.slice(first, end),
    ends: splits.ends.slice(first, end),
    byteOffsets: splits.byteOffsets.slice(first, end + 1),
  };
}

/** Everything a text's splits have to be, but for the ids' own correctness. */
function assertCovers(tokenizer: Tokenizer, text: string): void {
  const { ids, starts, ends, byteOffsets } = tokenizer.split(text);
  const bytes = Buffer.from(text, 'utf8');
  assert.deepEqual(Buffer.concat([...ids].map((id) => tokenizer.bytesOf(id))), bytes);
  assert.equal(byteOffsets.length, ids.length + 1);
  assert.equal(byteOffsets[ids.length], bytes.length);

  // The offsets, worked out character by character.
  const startOfByte: number[] = [];
  const endOfByte: number[] = [];
  let offset = 0;
  for (const character of text) {
    for (let i = 0; i < Buffer.byteLength(character); i++) {
      startOfByte.push(offset);
      endOfByte.push(offset + character.length);
    }
    offset += character.length;
  }
  for (let i = 0; i < ids.length; i++) {
    assert.equal(byteOffsets[i + 1] - byteOffsets[i], tokenizer.bytesOf(ids[i]).length);
    assert.equal(starts[i], startOfByte[byteOffsets[i]]);
    assert.equal(ends[i], endOfByte[byteOffsets[i + 1] - 1]);
  }
}

describe('tokenizer', () => {
  for (const name of ENCODING_NAMES) {
    it(`splits as gpt-tokenizer's ${name} does, byte for byte`, async () => {
      const tokenizer = await tokenizerFor(name);
      const { encode } = await reference[name]();
      const generator = new Generator(2);
      // gpt-tokenizer takes JavaScript's white space for Unicode's: see the next test.
      const random = Array.from({ length: 300 }, (_, i) =>
        randomText(generator, 1 + (i % 60)).replaceAll('\u0085', '\u0084'),
      );
      for (const text of [...TEXTS, ...random]) {
        const expected = encode(text, { disallowedSpecial: new Set() });
        assert.deepEqual([...tokenizer.split(text).ids], expected, JSON.stringify(text));
        assertCovers(tokenizer, text);
      }
    }).timeout(60_000);

    it(`takes for white space what Unicode does, in ${name}`, async () => {
      const tokenizer = await tokenizerFor(name);
      for (const [text, ids] of UNICODE_SPACES[name.replace(/_(edit|harmony)$/, '_base')]) {
        assert.deepEqual([...tokenizer.split(text).ids], ids, JSON.stringify(text));
        assertCovers(tokenizer, text);
      }
    });

    it(`splits any range as the whole text is split in ${name}`, async () => {
      const tokenizer = await tokenizerFor(name);
      const generator = new Generator(3);
      for (let round = 0; round < 150; round++) {
        const text = randomText(generator, Math.floor(generator.next() * 200));
        const whole = tokenizer.split(text);
        for (let i = 0; i < 10; i++) {
          const from = Math.floor(generator.next() * (text.length + 1));
          const to = from + Math.floor(generator.next() * (text.length + 1 - from));
          const wanted = { from, to };
          const actual = tokenizer.splitRange(text, wanted);
          const expected = overlapping(whole, wanted);
          if (expected.ids.length === 0) {
            assert.equal(actual.ids.length, 0);
          } else {
            assert.deepEqual(actual, expected, JSON.stringify({ text, wanted }));
          }
        }
      }
    }).timeout(60_000);
  }

  it('knows the reference sentences', async () => {
    const gpt2 = await tokenizerFor('r50k_base');
    assert.deepEqual(
      [...gpt2.split('A journey of a thousand miles begins with a single step.').ids],
      [32, 7002, 286, 257, 7319, 4608, 6140, 351, 257, 2060, 2239, 13],
    );
    assert.deepEqual([...gpt2.split('thousand').ids], [400, 29910]);
    const cl100k = await tokenizerFor('cl100k_base');
    const { ids } = cl100k.split('Strawberry');
    assert.deepEqual(
      [...ids].map((id) => cl100k.textOf(id)),
      ['Str', 'aw', 'berry'],
    );
  });

  it('lets tokens that share a character overlap', async () => {
    const tokenizer = await tokenizerFor('r50k_base');
    const { ids, starts, ends, byteOffsets } = tokenizer.split('x😀y');
    assert.deepEqual([...ids], [87, 47249, 222, 88]);
    assert.deepEqual([...starts], [0, 1, 1, 3]);
    assert.deepEqual([...ends], [1, 3, 3, 4]);
    assert.deepEqual([...byteOffsets], [0, 1, 4, 5, 6]);
    assert.equal(tokenizer.textOf(222), '\ufffd');
    assert.deepEqual([...tokenizer.bytesOf(222)], [0x80]);
  });

  it('reads a lone surrogate as U+FFFD of one UTF-16 unit', async () => {
    const tokenizer = await tokenizerFor('r50k_base');
    const { ids, starts, ends } = tokenizer.split('\ud83d.');
    assert.deepEqual(Buffer.concat([...ids].map((id) => tokenizer.bytesOf(id))), Buffer.from([0xef, 0xbf, 0xbd, 0x2e]));
    assert.equal(starts[0], 0);
    assert.equal(ends.at(-2), 1);
    assert.equal(ends.at(-1), 2);
  });

  // gpt-tokenizer does not merge the three bytes when more follows, since its TextDecoder swallows the mark; the
  // vocabulary's own file (data/o200k_base.tiktoken, "77u/ 5574") has the token.
  it('reads a byte order mark as the token that the vocabulary has for it', async () => {
    const tokenizer = await tokenizerFor('o200k_base');
    const { ids } = tokenizer.split('\ufeff,');
    assert.deepEqual([...ids], [5574, 11]);
    assert.equal(tokenizer.textOf(5574), '\ufeff');
    assertCovers(tokenizer, 'a \ufeff,\ufeff\ufeff b');
  });

  it('names special tokens, and refuses ids outside the vocabulary', async () => {
    const tokenizer = new BytePairTokenizer(await openEncoding('r50k_base'), 50257);
    assert.equal(tokenizer.specialTokenOf(50256), '<|endoftext|>');
    assert.equal(tokenizer.textOf(50256), '<|endoftext|>');
    assert.equal(tokenizer.specialTokenOf(0), null);
    for (const id of [50257, -1, 1.5, Number.NaN]) {
      assert.throws(() => tokenizer.bytesOf(id), { code: 'argument-invalid', message: /from 0 to 50256/ });
    }
  });

  it('gives each vocabulary the special tokens that gpt-tokenizer gives it', async () => {
    for (const name of ENCODING_NAMES) {
      const tokenizer = await tokenizerFor(name);
      const special = getEncodingParams(name, () => []).specialTokensEncoder ?? new Map<string, number>();
      for (const id of special.values()) {
        const named = tokenizer.specialTokenOf(id);
        assert.ok(named !== null && special.get(named) === id, `${name} ${id}`);
      }
    }
  });

  it('finds a range beyond the text empty', async () => {
    const tokenizer = await tokenizerFor('r50k_base');
    for (const [text, from, to] of [
      ['', 0, 10],
      ['abc', 3, 9],
      ['abc', 5, 9],
    ] as const) {
      const { ids, byteOffsets } = tokenizer.splitRange(text, { from, to });
      assert.equal(ids.length, 0);
      assert.equal(byteOffsets.length, 1);
    }
    assert.equal(tokenizer.splitRange('abc def', { from: 2, to: 1000 }).ids.length, 2);
  });

  it('stays quick on a megabyte of one character', async () => {
    const tokenizer = await tokenizerFor('r50k_base');
    for (const character of ['a', '=', ' ', '中']) {
      const started = performance.now();
      tokenizer.split(character.repeat(1_000_000));
      // Merging by scanning takes minutes; the bound has room for a slow and busy machine.
      assert.ok(performance.now() - started < 8000, character);
    }
  }).timeout(60_000);

  it('splits a screenful in the middle of a megabyte without reading the rest', async () => {
    const tokenizer = await tokenizerFor('r50k_base');
    const text = 'const answer = compute(previous, 42); // see above\n'.repeat(20_000);
    const from = 500_000;
    tokenizer.splitRange(text, { from, to: from + 5000 });
    const wholeStarted = performance.now();
    tokenizer.split(text);
    const whole = performance.now() - wholeStarted;
    const rangeStarted = performance.now();
    tokenizer.splitRange(text, { from, to: from + 5000 });
    const range = performance.now() - rangeStarted;
    assert.ok(range < whole / 10, `${range} ms of ${whole} ms`);
  });
});
