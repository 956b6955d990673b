import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { encode } from 'gpt-tokenizer/encoding/r50k_base';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const END_OF_TEXT = 50256;
const models = path.resolve('models');
const inFolder = (name: string) => path.join(models, 'headlight-small', name);
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

/** One row of the card's table of figures, by its first column. */
function row(card: string, label: string): string {
  const line = card.split('\n').find((text) => text.startsWith(`| ${label} |`));
  assert.ok(line, `models/README.md has a row "${label}"`);
  return line;
}

describe('the default model', () => {
  const figures = json(inFolder('figures.json'));
  const card = readFileSync(path.join(models, 'README.md'), 'utf8');

  it('is the file that was measured', () => {
    const sha256 = createHash('sha256')
      .update(readFileSync(inFolder('model.onnx')))
      .digest('hex');
    assert.equal(figures.sha256, sha256);
    assert.ok(card.includes(sha256), 'models/README.md names the same file');
  });

  it('has a card that quotes what was measured', () => {
    for (const kind of ['code', 'prose']) {
      const { bitsPerToken, top1, top5 } = figures.heldOut[kind];
      const baseline = figures.fiveGram[kind].bitsPerToken;
      const bits = row(card, `Bits per token, ${kind}`);
      assert.ok(bits.includes(`| ${bitsPerToken.toFixed(4)} |`), bits);
      assert.ok(bits.includes(`5-gram ${baseline.toFixed(3)}`), bits);
      const better = 100 * (1 - bitsPerToken / baseline);
      assert.ok(Math.abs(better - figures.betterBy[kind]) < 0.06, `${better} and ${figures.betterBy[kind]}`);
      const top = row(card, `Top-1 / top-5, ${kind}`);
      assert.ok(top.includes(`${top1.toFixed(1)} % / ${top5.toFixed(1)} %`), top);
    }
    for (const [label, key] of [
      ['Best previous-token head', 'previousToken'],
      ['Best induction head', 'induction'],
    ] as const) {
      const best = figures.heads[key][0];
      const line = row(card, label);
      assert.ok(
        line.includes(`${best.score.toFixed(4)} (head ${best.head}; control ${best.control.toFixed(4)})`),
        line,
      );
    }
  });

  it('gives held-out text the bits per token that the figures name', async () => {
    const { n_layer, n_head, n_embd, vocab_size } = json(inFolder('config.json'));
    const session = await InferenceSession.create(inFolder('model.onnx'), { executionProviders: ['cpu'] });
    const bits = async (file: string) => {
      const ids = [END_OF_TEXT, ...encode(readFileSync(path.join(models, 'held-out', file), 'utf8'))];
      const int64 = (values: number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
      const feeds: Record<string, Tensor> = {
        input_ids: int64(ids),
        attention_mask: int64(ids.map(() => 1)),
        position_ids: int64(ids.map((_, i) => i)),
      };
      for (let layer = 0; layer < n_layer; layer++) {
        for (const kind of ['key', 'value']) {
          feeds[`past_key_values.${layer}.${kind}`] = new Tensor('float32', [], [1, n_head, 0, n_embd / n_head]);
        }
      }
      const logits = (await session.run(feeds, ['logits'])).logits.data as Float32Array;
      let sum = 0;
      for (let i = 1; i < ids.length; i++) {
        const at = logits.subarray((i - 1) * vocab_size, i * vocab_size);
        const largest = at.reduce((a, b) => Math.max(a, b));
        const total = at.reduce((a, b) => a + Math.exp(b - largest), 0);
        sum -= (at[ids[i]] - largest - Math.log(total)) / Math.LN2;
      }
      return { tokens: ids.length - 1, bitsPerToken: sum / (ids.length - 1) };
    };
    assert.ok(figures.excerpts.length > 0);
    for (const { file, tokens, bitsPerToken } of figures.excerpts) {
      const got = await bits(file);
      assert.equal(got.tokens, tokens, file);
      assert.ok(Math.abs(got.bitsPerToken - bitsPerToken) < 0.001, `${file}: ${got.bitsPerToken} and ${bitsPerToken}`);
      assert.ok(card.includes(`| \`held-out/${file}\` | ${tokens} | ${bitsPerToken.toFixed(4)} |`), file);
    }
    await session.release();
  });
});
