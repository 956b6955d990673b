import assert from 'node:assert/strict';
import { BytePairTokenizer } from '../../../../src/engine/model/byte-pair-tokenizer';
import { openEncoding } from '../../../../src/engine/model/encoding';
import { TokenPrefixes } from '../../../../src/engine/model/token-prefixes';

describe('TokenPrefixes', () => {
  it('finds all tokens that begin with the same bytes, and no others', async () => {
    const tokenizer = new BytePairTokenizer(await openEncoding('r50k_base'), 50_300);
    const prefixes = new TokenPrefixes(tokenizer);
    for (const text of ['lo', ' conso', ' ', '\n', 'é', '中', 'console', 'xyzzy', ' the', '\ud83d\ude00']) {
      const prefix = Buffer.from(text);
      const expected = [];
      for (let id = 0; id < 50_256; id++) {
        const bytes = Buffer.from(tokenizer.bytesOf(id));
        if (bytes.length > prefix.length && bytes.subarray(0, prefix.length).equals(prefix)) {
          expected.push(id);
        }
      }
      assert.deepEqual(
        [...prefixes.longerThan(prefix)].sort((a, b) => a - b),
        expected,
        JSON.stringify(text),
      );
    }
  });

  it('knows what stands for no text', async () => {
    const prefixes = new TokenPrefixes(new BytePairTokenizer(await openEncoding('r50k_base'), 50_300));
    assert.equal(prefixes.isText(0), true);
    assert.equal(prefixes.isText(50_256), false);
    assert.equal(prefixes.isText(50_299), false);
  });
});
