import assert from 'node:assert/strict';
import path from 'node:path';
import { root } from '../../../../scripts/project.mjs';
import { vocabularies } from '../../../../src/engine/inspect/word-merges';
import { tokenizerOf } from '../../../../src/engine/model/load-tokenizer';

const TEXT = 'Each vocabulary splits this sentence in its own way.';

describe('a passage under other vocabularies', () => {
  it('is counted under the model’s own first and each other after it', async () => {
    const tokenizer = await tokenizerOf(path.join(root, 'models', 'headlight-small'));
    const { rows } = await vocabularies(tokenizer, { ids: tokenizer.split(TEXT).ids, added: 0 });
    assert.deepEqual(
      rows.map(({ name, own }) => [name, own]),
      [
        ['r50k_base', true],
        ['p50k_base', false],
        ['cl100k_base', false],
        ['o200k_base', false],
      ],
    );
    for (const { tokens, count } of rows) {
      assert.equal(tokens.length, count);
      assert.equal(Buffer.from(tokens.flatMap(({ bytes }) => bytes)).toString('utf8'), TEXT);
    }
  });

  it('is left between two of them where nobody waits for it any more', async () => {
    const tokenizer = await tokenizerOf(path.join(root, 'models', 'headlight-small'));
    const cancellation = { isCancellationRequested: false };
    const asked = vocabularies(tokenizer, { ids: tokenizer.split(TEXT).ids, added: 0 }, cancellation);
    cancellation.isCancellationRequested = true;
    await assert.rejects(asked, { code: 'cancelled' });
  });
});
