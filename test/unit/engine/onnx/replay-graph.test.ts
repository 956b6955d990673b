import assert from 'node:assert/strict';
import { findAttention } from '../../../../src/engine/onnx/attention';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { buildReplayGraph, type ReplayGraph } from '../../../../src/engine/onnx/replay-graph';
import { Topology } from '../../../../src/engine/onnx/topology';
import { buildDecoder, type DecoderShape } from './decoder-models';
import { ModelFiles } from './model-files';

describe('replay graphs', () => {
  const files = new ModelFiles();

  function replays(variant: Partial<DecoderShape>): readonly ReplayGraph[] {
    const shape = { layers: 3, heads: 2, headDim: 4, vocabSize: 17, contextLength: 16, ...variant };
    return files.read(buildDecoder(shape).builder, (model) =>
      findAttention(new Topology(model)).map((layer) => {
        assert.ok(layer.kind === 'decomposed');
        return buildReplayGraph(model, layer.site, () => DataType.Float32);
      }),
    );
  }

  it('are the same for layers of the same structure', () => {
    for (const variant of [{}, { softcap: 5 }, { scale: 'computed', mask: 'add' }, { past: true }] as const) {
      assert.equal(new Set(replays(variant).map(({ bytes }) => Buffer.from(bytes).toString('hex'))).size, 1);
    }
  });

  it('tell whether heads can be computed one by one', () => {
    assert.deepEqual(
      replays({ mask: 'where-add', softmaxCasts: true, nanGuard: true }).map(({ headwise }) => headwise),
      [true, true, true],
    );
    assert.ok(!replays({ foldedHeads: true })[0].headwise);
    assert.ok(!replays({ einsum: true })[0].headwise);
  });
});
