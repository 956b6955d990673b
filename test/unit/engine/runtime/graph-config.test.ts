import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ConfigHints } from '../../../../src/engine/model/folder';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { measureConfig } from '../../../../src/engine/runtime/graph-config';
import { buildDecoder, configOf, type DecoderShape } from '../onnx/decoder-models';
import type { GraphBuilder } from '../onnx/graph-builder';
import { GraphBuilder as Builder } from '../onnx/graph-builder';
import { buildMergedDecoder } from '../onnx/merged-decoder';

const SHAPE: DecoderShape = { layers: 3, heads: 4, headDim: 8, vocabSize: 61, contextLength: 32 };
const NO_HINTS: ConfigHints = { contextLength: null, bosTokenId: null, eosTokenId: null };

describe('a model without a configuration', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-measured-'));
    file = path.join(folder, 'model.onnx');
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const measured = (builder: GraphBuilder, hints: Partial<ConfigHints> = {}) => {
    builder.write(file);
    return measureConfig(file, { ...NO_HINTS, ...hints });
  };

  const FORMS: Readonly<Record<string, Partial<DecoderShape>>> = {
    'learned positions': { mask: 'add' },
    'a stored triangle': { mask: 'where', positions: 'rotary' },
    'grouped queries and a cache': { kvHeads: 2, qkv: 'separate', past: true },
    'one key/value head': { kvHeads: 1, qkv: 'separate' },
    'heads folded into the batch': { foldedHeads: true },
    'one operator for its attention': { fusedAttention: 'open', kvHeads: 2 },
    'half precision': { dataType: DataType.Float16, softmaxCasts: true, mask: 'add' },
  };
  for (const [name, variant] of Object.entries(FORMS)) {
    it(`is measured in its graph: ${name}`, async () => {
      const shape = { ...SHAPE, ...variant };
      const { config, notes } = await measured(buildDecoder(shape).builder);
      assert.deepEqual(config, { ...configOf(shape), architecture: 'decoder' });
      assert.match(
        notes[0],
        /^There is no config\.json\. .* has 32 positions, which is the longest text\. .*not known\.$/,
      );
    });
  }

  it('is measured in a branch of a merged decoder', async () => {
    const shape: DecoderShape = { ...SHAPE, kvHeads: 2, qkv: 'separate', mask: 'add' };
    const { config } = await measured(buildMergedDecoder(shape));
    assert.deepEqual(config, { ...configOf(shape), architecture: 'decoder' });
  });

  it('says what nothing tells: how long a text may be', async () => {
    const { builder } = buildDecoder({ ...SHAPE, positions: 'rotary', mask: 'add' });
    const assumed = await measured(builder);
    assert.equal(assumed.config.contextLength, 2048);
    assert.match(assumed.notes[0], /nothing in the folder says: 2,048 tokens are assumed/);
    const hinted = await measured(builder, { contextLength: 512, eosTokenId: 3 });
    assert.equal(hinted.config.contextLength, 512);
    assert.equal(hinted.config.eosTokenId, 3);
    assert.match(hinted.notes[0], /512 tokens, is what tokenizer_config\.json says/);
  });

  it('is refused in a sentence where its heads cannot be counted', async () => {
    const bare = new Builder();
    const ids = bare.input('input_ids', DataType.Int64, ['batch', 'sequence']);
    bare.rename(bare.op('Gather', [bare.random([9, 4], 1), ids]), 'logits');
    bare.output('logits', DataType.Float32, ['batch', 'sequence', 4]);
    await assert.rejects(measured(bare), {
      code: 'model-missing',
      message:
        /^There is no config\.json for .*no attention was found in it; put the model's config\.json beside it\.$/,
    });
  });
});
