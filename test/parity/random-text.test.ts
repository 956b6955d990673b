import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { BytePairTokenizer } from '../../src/engine/model/byte-pair-tokenizer';
import { type EncodingName, openEncoding } from '../../src/engine/model/encoding';
import { HuggingFaceTokenizer } from '../../src/engine/model/hugging-face-tokenizer';
import type { Tokenizer } from '../../src/engine/model/tokenizer';
import type { TokenizerJson } from '../../src/engine/model/tokenizer-json';
import type { TokenSplits } from '../../src/protocol/tokens';

/** Written by `golden_tokenizers.py --fuzz`: thousands of texts, too many to keep. */
const FOLDER = process.env.HEADLIGHT_TOKENIZERS;
const VOCAB_SIZE = 300_000;

interface RandomTexts {
  readonly tokenizer?: TokenizerJson;
  readonly encoding?: EncodingName;
  readonly expected: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    /** Where names of special tokens are those tokens, and that makes a difference. */
    readonly special?: readonly number[];
    /** By token, in UTF-16 code units; tiktoken gives none. */
    readonly offsets?: readonly (readonly [start: number, end: number])[];
  }[];
}

const FILES = FOLDER === undefined ? [] : readdirSync(FOLDER).sort();

for (const file of FILES) {
  describe('splits of random Unicode', () => {
    it(`are those of the reference: ${path.basename(file, '.json')}`, async () => {
      const texts: RandomTexts = JSON.parse(readFileSync(path.join(FOLDER!, file), 'utf8'));
      const tokenizer = await open(texts, file);
      const counts = {
        texts: texts.expected.length,
        'other ids': 0,
        'same offsets': 0,
        'wider offsets': 0,
        'bytes passed over': 0,
      };
      for (const { text, ids, special = ids, offsets } of texts.expected) {
        const splits = tokenizer.split(text);
        assert.equal(splits.byteOffsets.at(-1), Buffer.byteLength(text));
        if (!isSame(splits.ids, ids) || !isSame(tokenizer.split(text, true).ids, special)) {
          counts['other ids']++;
        } else if (offsets !== undefined) {
          counts[compareOffsets(splits, offsets)]++;
        }
      }
      console.log(
        `      ${Object.entries(counts)
          .map(([what, count]) => `${count} ${what}`)
          .join(', ')}`,
      );
      assert.equal(counts['other ids'], 0);
    });
  });
}

function isSame(ids: Uint32Array, expected: readonly number[]): boolean {
  return ids.length === expected.length && ids.every((id, at) => id === expected[at]);
}

async function open({ tokenizer, encoding }: RandomTexts, file: string): Promise<Tokenizer> {
  return tokenizer === undefined
    ? new BytePairTokenizer(await openEncoding(encoding!), VOCAB_SIZE)
    : new HuggingFaceTokenizer(tokenizer, VOCAB_SIZE, null, file);
}

/**
 * A composed character covers all that it was composed of, where the reference has the first of it; what is put before a text
 * covers none of it, where the reference has its first character. Of bytes that a vocabulary lacks the reference loses count.
 */
function compareOffsets(
  { starts, ends }: TokenSplits,
  offsets: readonly (readonly [number, number])[],
): 'same offsets' | 'wider offsets' | 'bytes passed over' {
  const places = offsets.map(([start, end], at) => ({ start, end, from: starts[at], to: ends[at] }));
  if (places.every(({ start, end, from, to }) => start === from && end === to)) {
    return 'same offsets';
  }
  const covers = places.every(
    ({ start, end, from, to }) => (from <= start && end <= to) || (from === to && from === start),
  );
  return covers ? 'wider offsets' : 'bytes passed over';
}
