import assert from 'node:assert/strict';
import { analyzeGraph, type GraphAnalysis } from '../../../../src/engine/onnx/analysis';
import type { AttentionSite } from '../../../../src/engine/onnx/attention';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { buildDecoder, type DecoderShape } from './decoder-models';
import { GraphBuilder } from './graph-builder';
import { ModelFiles } from './model-files';

const SMALL: DecoderShape = { layers: 3, heads: 2, headDim: 4, vocabSize: 17, contextLength: 16 };

describe('graph analysis', () => {
  const files = new ModelFiles();

  function sitesOf({ attention }: GraphAnalysis): readonly AttentionSite[] {
    assert.ok(!('unavailable' in attention), 'unavailable' in attention ? attention.unavailable : '');
    return attention;
  }

  /** Analyses a decoder and checks what was found against what was built. */
  function analysed(variant: Partial<DecoderShape>): readonly AttentionSite[] {
    const shape = { ...SMALL, ...variant };
    const { builder, tensors } = buildDecoder(shape);
    return files.read(builder, (model) => {
      const analysis = analyzeGraph(model, shape.layers);
      const sites = sitesOf(analysis);
      assert.deepEqual(
        sites.map(({ weights }) => weights),
        tensors.weights,
      );
      assert.deepEqual(analysis.stream, { found: true, tensors: tensors.stream });
      for (const { scoreNode, chain, queries, keysTransposed, values, contextNode } of sites) {
        assert.deepEqual(scoreNode.inputs, [queries, keysTransposed]);
        assert.ok(contextNode.inputs.includes(values));
        const own = new Set([...scoreNode.outputs, ...chain.flatMap(({ outputs }) => outputs)]);
        assert.ok(chain.every(({ inputs }) => inputs.some((input) => own.has(input))));
      }
      return sites;
    });
  }

  const opTypes = (sites: readonly AttentionSite[]) =>
    sites.map(({ chain }) => chain.map(({ opType }) => opType).join(' '));
  const everyLayer = (chain: string) => Array.from({ length: SMALL.layers }, () => chain);

  it('finds Div, Where, Add around the softmax', () => {
    const sites = analysed({ mask: 'where-add' });
    assert.deepEqual(opTypes(sites), everyLayer('Div Where Add Softmax'));
    assert.deepEqual(
      sites.map(({ sideInputs }) => sideInputs.length),
      [4, 4, 4],
    );
  });

  it('finds queries and keys that are scaled before their product', () => {
    assert.deepEqual(opTypes(analysed({ scale: 'before', mask: 'add' })), everyLayer('Add Softmax'));
  });

  it('takes a computed scale as a side input', () => {
    assert.deepEqual(opTypes(analysed({ scale: 'computed', mask: 'add' })), everyLayer('Mul Add Softmax'));
  });

  it('finds casts, a softcap, a guard against NaN, ALiBi', () => {
    assert.deepEqual(opTypes(analysed({ softmaxCasts: true, mask: 'add' })), everyLayer('Div Add Cast Softmax Cast'));
    assert.deepEqual(opTypes(analysed({ softcap: 30, mask: 'add' })), everyLayer('Div Div Tanh Mul Add Softmax'));
    assert.deepEqual(opTypes(analysed({ nanGuard: true, mask: 'add' })), everyLayer('Div Add Softmax IsNaN Where'));
    assert.deepEqual(opTypes(analysed({ positions: 'alibi', mask: 'add' })), everyLayer('Div Add Add Softmax'));
  });

  it('finds heads that are folded into the batch', () => {
    assert.deepEqual(
      opTypes(analysed({ foldedHeads: true, mask: 'add' })),
      everyLayer('Div Reshape Add Reshape Softmax'),
    );
  });

  it('finds the attention and the residual stream of every other form', () => {
    analysed({ qkv: 'separate', kvHeads: 1, positions: 'rotary', slidingWindow: 3, mask: 'add' });
    analysed({ parallelBlocks: true });
    analysed({ decomposedNorm: true });
    analysed({ past: true });
    analysed({ einsum: true });
    analysed({ cellBias: true });
  });

  it('does not take a router for an attention', () => {
    assert.equal(analysed({ router: true }).length, SMALL.layers);
  });

  function unavailable(builder: GraphBuilder, layers: number, sentence: RegExp): GraphAnalysis {
    return files.read(builder, (model) => {
      const analysis = analyzeGraph(model, layers);
      const { attention } = analysis;
      assert.match('unavailable' in attention ? attention.unavailable : 'was found', sentence);
      assert.match('unavailable' in attention ? attention.unavailable : '', /^[A-Z].*\.$/);
      return analysis;
    });
  }

  it('writes a fused operator as its parts', () => {
    const { builder } = buildDecoder({ ...SMALL, fusedAttention: 'open' });
    files.read(builder, (model) => {
      const { parts, attention } = analyzeGraph(model, SMALL.layers);
      assert.deepEqual(
        [...parts.operators.values()].map(({ opType }) => opType),
        ['GroupQueryAttention', 'GroupQueryAttention', 'GroupQueryAttention'],
      );
      assert.ok(!('unavailable' in attention));
      assert.deepEqual(opTypes(attention), everyLayer('Mul Where Softmax'));
    });
  });

  it('names a fused operator that it cannot open, and finds the residual stream around it', () => {
    const { builder, tensors } = buildDecoder({ ...SMALL, fusedAttention: 'closed' });
    const { stream } = unavailable(
      builder,
      SMALL.layers,
      /^Every layer computes its attention inside one operator, com\.microsoft\.GroupQueryAttention, which has a softmax that does not sum to 1; /,
    );
    assert.deepEqual(stream, { found: true, tensors: tensors.stream });
  });

  it('says when graph and configuration disagree about the layers', () => {
    unavailable(buildDecoder(SMALL).builder, 5, /has 3 attention blocks where config\.json says 5 layers/);
  });

  it('says when there is nothing like an attention', () => {
    const builder = new GraphBuilder();
    const embedded = builder.op('Gather', [
      builder.random([9, 4], 1),
      builder.input('input_ids', DataType.Int64, [1, 'T']),
    ]);
    builder.rename(builder.op('Softmax', [embedded]), 'logits');
    builder.output('logits', DataType.Float32, [1, 'T', 4]);
    const { stream } = unavailable(builder, 1, /^No layer has a softmax between two products/);
    assert.ok(!stream.found);
  });

  it('says when the scores are the sum of several products', () => {
    const builder = new GraphBuilder();
    const embedded = builder.op('Gather', [
      builder.random([9, 4], 1),
      builder.input('input_ids', DataType.Int64, [1, 'T']),
    ]);
    const turned = builder.op('Transpose', [embedded], { perm: [0, 2, 1] });
    const scores = builder.op('Add', [
      builder.op('MatMul', [embedded, turned]),
      builder.op('MatMul', [embedded, turned]),
    ]);
    builder.rename(builder.op('MatMul', [builder.op('Softmax', [scores]), embedded]), 'logits');
    builder.output('logits', DataType.Float32, [1, 'T', 4]);
    unavailable(builder, 1, /the scores of Softmax "Softmax_\d+" are the sum of 2 products/);
  });
});
