import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Decoder } from '../../../../src/engine/runtime/decoder';
import type { CacheKind, Decoding } from '../../../../src/engine/runtime/decoding';
import { buildDecoder, configOf, type DecoderShape } from '../onnx/decoder-models';

const SMALL: DecoderShape = { layers: 2, heads: 4, headDim: 8, vocabSize: 61, contextLength: 96 };
const IDS = Array.from({ length: 90 }, (_, index) => (index * index * 7 + index * 3 + 5) % SMALL.vocabSize);

const VARIANTS: Readonly<Record<string, [CacheKind, Partial<DecoderShape>]>> = {
  'learned positions that the graph is told': ['buffered', { past: true, positionIds: true, mask: 'add' }],
  'a stored triangle': ['buffered', { past: true, positionIds: true, mask: 'where-add' }],
  'rotary positions and grouped queries': [
    'buffered',
    { past: true, positionIds: true, positions: 'rotary', qkv: 'separate', kvHeads: 2, mask: 'add' },
  ],
  'one operator for attention and cache': ['tight', { past: true, fusedAttention: 'open', kvHeads: 2 }],
  'positions that the graph counts itself': ['tight', { past: true, mask: 'add' }],
  'distances that the graph counts itself': ['tight', { past: true, positions: 'alibi', mask: 'add' }],
  'a sliding window': ['tight', { past: true, positionIds: true, slidingWindow: 5, mask: 'add' }],
  'no cache': ['none', { mask: 'add' }],
};

describe('Decoding', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-decoding-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [name, [kind, variant]] of Object.entries(VARIANTS)) {
    it(`reads on with the logits of a whole run: ${name}`, async () => {
      await withDecoding({ ...SMALL, ...variant }, async (decoding, predictions) => {
        assert.equal(decoding.kind, kind);
        const first = await decoding.read(IDS.slice(0, 20), 3);
        close(first.logits, predictions.slice(17, 20));
        for (let t = 20; t < 60; t++) {
          close((await decoding.read([IDS[t]], 1)).logits, [predictions[t]]);
        }
        close((await decoding.read(IDS.slice(60, 90), 30)).logits, predictions.slice(60, 90));
      });
    });

    it(`goes back and on again: ${name}`, async () => {
      await withDecoding({ ...SMALL, ...variant }, async (decoding, predictions) => {
        const { states } = await decoding.read(IDS.slice(0, 40), 1);
        await decoding.read([9, 8, 7], 1);
        decoding.truncate(12);
        assert.equal(decoding.sharedWith(IDS), 12);
        await decoding.read([1, 2, 3, 4], 1);
        decoding.truncate(12);
        decoding.restore(IDS.slice(12, 39), states().slice(12, 39));
        assert.equal(decoding.length, 39);
        close((await decoding.read(IDS.slice(39, 42), 2)).logits, predictions.slice(40, 42));
        decoding.truncate(0);
        decoding.restore(IDS.slice(0, 30), states().slice(0, 30));
        close((await decoding.read([IDS[30]], 1)).logits, [predictions[30]]);
      });
    });
  }

  it('fills the context to its end', async () => {
    await withDecoding({ ...SMALL, past: true, positionIds: true, mask: 'where-add' }, async (decoding) => {
      for (let t = 0; t < SMALL.contextLength; t += 8) {
        await decoding.read(IDS.slice(0, 8), 1);
      }
      assert.equal(decoding.length, SMALL.contextLength);
    });
  });

  /** @param check gets the predictions of a whole run over IDS, [V] each */
  async function withDecoding(
    shape: DecoderShape,
    check: (decoding: Decoding, predictions: readonly Float32Array[]) => Promise<void>,
  ): Promise<void> {
    const file = path.join(folder, 'variant.onnx');
    buildDecoder(shape).builder.write(file);
    const decoder = await Decoder.open({ graphFile: file, config: configOf(shape), device: 'cpu' });
    try {
      const { logits } = await decoder.forward(Uint32Array.from(IDS));
      const rows = IDS.map((_, t) => logits.subarray(t * shape.vocabSize, (t + 1) * shape.vocabSize));
      await check(await decoder.decoding(), rows);
    } finally {
      await decoder.dispose();
    }
  }
});

function close(actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  assert.equal(actual.length, expected.length);
  for (const [row, logits] of actual.entries()) {
    assert.equal(logits.length, expected[row].length);
    const worst = logits.reduce((most, value, id) => Math.max(most, Math.abs(value - expected[row][id])), 0);
    assert.ok(worst < 1e-4, `row ${row} differs by ${worst}`);
  }
}
