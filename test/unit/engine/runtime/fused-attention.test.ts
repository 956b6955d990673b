import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import type { AttributeContent } from '../../../../src/engine/onnx/build';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { Decoder } from '../../../../src/engine/runtime/decoder';
import { floatData } from '../../../../src/engine/runtime/tensors';
import { GraphBuilder } from '../onnx/graph-builder';

const HEADS = 4;
const HEAD_DIM = 16;
const WIDTH = HEADS * HEAD_DIM;
const VOCAB = 61;
const CONTEXT = 32;
const LAYERS = 2;
const IDS = Uint32Array.from({ length: 9 }, (_, index) => (index * 17 + 5) % VOCAB);

type Attributes = Readonly<Record<string, AttributeContent>>;

/** One operator in a decoder, and how it is made to hand out what Headlight has to agree with. */
interface Form {
  readonly type?: DataType.Float32 | DataType.Float16;
  readonly opset?: number;
  readonly operator: (parts: Ingredients) => Operator;
  /** How the operator itself gives its weights, or its scores before the softmax; nothing where it gives neither. */
  readonly reveals?: { readonly attributes: Attributes; readonly what: 'weights' | 'scores' };
}

interface Operator {
  readonly opType: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly attributes: Attributes;
  /** Its output is [1, H, T, d]. */
  readonly headsFirst?: boolean;
}

/** What operators are made of, each built when it is asked for. */
class Ingredients {
  constructor(
    readonly b: GraphBuilder,
    readonly input: string,
    readonly type: DataType,
  ) {}

  linear(width: number): string {
    return this.b.op('MatMul', [this.input, this.weight([WIDTH, width])]);
  }

  weight(dims: readonly number[]): string {
    // Half precision has no digits left for large scores.
    return this.b.random(dims, this.type === DataType.Float16 ? 0.25 : 0.6, this.type);
  }

  /** [1, heads, T, d] */
  byHead(heads: number): string {
    const split = this.b.op('Reshape', [this.linear(heads * HEAD_DIM), this.b.int64([0, 0, heads, HEAD_DIM])]);
    return this.b.op('Transpose', [split], { perm: [0, 2, 1, 3] });
  }

  /** [T] or [T, 1]: the tokens' positions. */
  positions(dims: readonly number[]): string {
    const { b } = this;
    const length = b.op('Squeeze', [b.op('Shape', ['attention_mask'], { start: 1 })]);
    return b.op('Reshape', [b.op('Range', [b.int64([0], []), length, b.int64([1], [])]), b.int64(dims)]);
  }

  /** [1, 1, T, T], bool: what a query may see. */
  visible(): string {
    const seen = this.b.op('LessOrEqual', [this.positions([1, -1]), this.positions([-1, 1])]);
    return this.b.op('Unsqueeze', [seen, this.b.int64([0, 1])]);
  }

  /** [1, H, T, T]: nearer tokens count for more; with `mask`, later ones not at all. */
  bias(mask: boolean): string {
    const { b } = this;
    const distance = b.op('Sub', [this.positions([-1, 1]), this.positions([1, -1])]);
    const slopes = b.floats([1, HEADS, 1, 1], [-0.1, -0.2, -0.4, -0.8]);
    let bias = b.op('Mul', [b.op('Cast', [distance], { to: DataType.Float32 }), slopes]);
    if (mask) {
      bias = b.op('Where', [this.visible(), bias, b.scalar(-10_000)]);
    }
    return this.type === DataType.Float32 ? bias : b.op('Cast', [bias], { to: this.type });
  }

  /** int32 [1] and scalar: what GroupQueryAttention is told of its cache. */
  lengths(): readonly string[] {
    const { b } = this;
    const total = b.op('Cast', [b.op('Squeeze', [b.op('Shape', ['attention_mask'], { start: 1 })])], {
      to: DataType.Int32,
    });
    const last = b.op('Sub', [total, b.tensor(DataType.Int32, [], new Uint8Array(Int32Array.of(1).buffer))]);
    return [b.op('Reshape', [last, b.int64([1])]), total];
  }

  /** Cosines and sines [CONTEXT, turned / 2]. */
  rotation(turned = HEAD_DIM): readonly string[] {
    const angles = Array.from({ length: (CONTEXT * turned) / 2 }, (_, index) => {
      const [position, pair] = [Math.floor((2 * index) / turned), index % (turned / 2)];
      return position * 10_000 ** ((-2 * pair) / turned);
    });
    return [Math.cos, Math.sin].map((of) => this.b.floats([CONTEXT, turned / 2], angles.map(of)));
  }
}

function groupQuery(options: {
  readonly kvHeads?: number;
  readonly packed?: boolean;
  readonly rotate?: number;
  readonly bias?: boolean;
  readonly positions?: boolean;
  readonly attributes?: Attributes;
}) {
  return (p: Ingredients): Operator => {
    const { kvHeads = 2, packed = false, rotate = 0, bias = false, positions = false, attributes = {} } = options;
    const operands = packed
      ? [p.linear((HEADS + 2 * kvHeads) * HEAD_DIM), '', '']
      : [p.linear(WIDTH), p.linear(kvHeads * HEAD_DIM), p.linear(kvHeads * HEAD_DIM)];
    const rotation = rotate === 0 ? ['', ''] : p.rotation(rotate);
    const told = positions ? p.positions([1, -1]) : '';
    return {
      opType: 'GroupQueryAttention',
      domain: 'com.microsoft',
      inputs: [...operands, '', '', ...p.lengths(), ...rotation, told, bias ? p.bias(false) : ''],
      attributes: { num_heads: HEADS, kv_num_heads: kvHeads, ...(rotate > 0 && { do_rotary: 1 }), ...attributes },
    };
  };
}

const GROUP_QUERY = { attributes: { qk_output: 2 }, what: 'weights' } as const;
const MULTI_HEAD = { attributes: {}, what: 'scores' } as const;
const STANDARD = { attributes: { qk_matmul_output_mode: 3 }, what: 'weights' } as const;

function multiHead(make: (p: Ingredients) => readonly string[], attributes: Attributes = { unidirectional: 1 }) {
  return (p: Ingredients): Operator => ({
    opType: 'MultiHeadAttention',
    domain: 'com.microsoft',
    inputs: make(p),
    attributes: { num_heads: HEADS, ...attributes },
  });
}

function packed(make: (p: Ingredients) => readonly string[], attributes: Attributes = { unidirectional: 1 }) {
  return (p: Ingredients): Operator => ({
    opType: 'Attention',
    domain: 'com.microsoft',
    inputs: [p.input, p.weight([WIDTH, 3 * WIDTH]), ...make(p)],
    attributes: { num_heads: HEADS, ...attributes },
  });
}

function standard(
  make: (p: Ingredients) => readonly string[],
  attributes: Attributes = { is_causal: 1 },
  headsFirst = false,
) {
  return (p: Ingredients): Operator => ({ opType: 'Attention', inputs: make(p), attributes, headsFirst });
}

const flat = (kvHeads: number) => (p: Ingredients) => [
  p.linear(WIDTH),
  p.linear(kvHeads * HEAD_DIM),
  p.linear(kvHeads * HEAD_DIM),
];
const byHead = (kvHeads: number) => (p: Ingredients) => [p.byHead(HEADS), p.byHead(kvHeads), p.byHead(kvHeads)];
const counted = (kvHeads: number) => ({ q_num_heads: HEADS, kv_num_heads: kvHeads });

const FORMS: Readonly<Record<string, Form>> = {
  GroupQueryAttention: { operator: groupQuery({}), reveals: GROUP_QUERY },
  'GroupQueryAttention, one key/value head for each query head': {
    operator: groupQuery({ kvHeads: HEADS }),
    reveals: GROUP_QUERY,
  },
  'GroupQueryAttention, packed and turning': {
    operator: groupQuery({ packed: true, rotate: HEAD_DIM }),
    reveals: GROUP_QUERY,
  },
  'GroupQueryAttention, turning pairs of neighbours by told positions': {
    operator: groupQuery({ rotate: HEAD_DIM, positions: true, attributes: { rotary_interleaved: 1 } }),
    reveals: GROUP_QUERY,
  },
  'GroupQueryAttention, a window, a softcap and a scale': {
    operator: groupQuery({ attributes: { local_window_size: 3, softcap: { float: 2 }, scale: { float: 0.5 } } }),
    reveals: GROUP_QUERY,
  },
  'GroupQueryAttention, a bias on the scores': { operator: groupQuery({ bias: true }), reveals: GROUP_QUERY },
  'GroupQueryAttention, half precision': {
    type: DataType.Float16,
    operator: groupQuery({ bias: true }),
    reveals: GROUP_QUERY,
  },
  MultiHeadAttention: { operator: multiHead(flat(HEADS)), reveals: MULTI_HEAD },
  'MultiHeadAttention, a bias on its operands and a scale': {
    operator: multiHead((p) => [...flat(HEADS)(p), p.weight([3 * WIDTH])], {
      unidirectional: 1,
      scale: { float: 0.2 },
    }),
    reveals: MULTI_HEAD,
  },
  'MultiHeadAttention, a mask of padding': {
    operator: multiHead((p) => [...flat(HEADS)(p), '', p.b.op('Cast', ['attention_mask'], { to: DataType.Int32 })]),
    reveals: MULTI_HEAD,
  },
  'MultiHeadAttention, masked by what is added': {
    operator: multiHead((p) => [...flat(HEADS)(p), '', '', p.bias(true)], {}),
    reveals: MULTI_HEAD,
  },
  'com.microsoft.Attention': { operator: packed((p) => [p.weight([3 * WIDTH])]) },
  'com.microsoft.Attention, a mask of padding': {
    operator: packed((p) => [p.weight([3 * WIDTH]), p.b.op('Cast', ['attention_mask'], { to: DataType.Int32 })]),
  },
  'com.microsoft.Attention, widths of its own and a bias on the scores': {
    operator: packed((p) => [p.weight([3 * WIDTH]), '', '', p.bias(true)], {
      qkv_hidden_sizes: [WIDTH, WIDTH, WIDTH],
      scale: { float: 0.25 },
    }),
  },
  'ai.onnx.Attention 23': {
    opset: 23,
    operator: standard(flat(HEADS), { is_causal: 1, ...counted(HEADS) }),
    reveals: STANDARD,
  },
  'ai.onnx.Attention 23, grouped queries': {
    opset: 23,
    operator: standard(flat(2), { is_causal: 1, ...counted(2) }),
    reveals: STANDARD,
  },
  'ai.onnx.Attention 23, head by head': {
    opset: 23,
    operator: standard(byHead(HEADS), { is_causal: 1 }, true),
    reveals: STANDARD,
  },
  'ai.onnx.Attention 23, grouped queries head by head': {
    opset: 23,
    operator: standard(byHead(2), { is_causal: 1, scale: { float: 0.3 } }, true),
    reveals: STANDARD,
  },
  'ai.onnx.Attention 23, a mask of true and false': {
    opset: 23,
    operator: standard((p) => [...flat(2)(p), p.visible()], counted(2)),
    reveals: STANDARD,
  },
  'ai.onnx.Attention 24, a mask that is added, and a softcap': {
    opset: 24,
    operator: standard((p) => [...flat(2)(p), p.bias(true)], { ...counted(2), softcap: { float: 3 } }),
    reveals: STANDARD,
  },
  'ai.onnx.Attention 24, half precision': {
    opset: 24,
    type: DataType.Float16,
    operator: standard(flat(2), { is_causal: 1, ...counted(2) }),
    reveals: STANDARD,
  },
};

/** Two blocks of that operator around a residual stream. */
function build({ type = DataType.Float32, operator, reveals }: Form, revealed: boolean): GraphBuilder {
  const b = new GraphBuilder(3);
  const ids = b.input('input_ids', DataType.Int64, ['batch', 'sequence']);
  b.input('attention_mask', DataType.Int64, ['batch', 'total']);
  let stream = b.op('Gather', [b.random([VOCAB, WIDTH], 1, type), ids]);
  for (let layer = 0; layer < LAYERS; layer++) {
    const { opType, domain, inputs, attributes, headsFirst } = operator(new Ingredients(b, stream, type));
    const given = revealed && reveals !== undefined;
    const outputs = b.ops(opType, inputs, given ? 4 : 1, { ...attributes, ...(given && reveals.attributes) }, domain);
    if (given) {
      b.output(outputs[3], type, ['batch', HEADS, 'sequence', 'total']);
    }
    const byToken = headsFirst
      ? b.op('Reshape', [b.op('Transpose', [outputs[0]], { perm: [0, 2, 1, 3] }), b.int64([0, 0, WIDTH])])
      : outputs[0];
    stream = b.op('Add', [stream, b.op('MatMul', [byToken, b.random([WIDTH, WIDTH], 0.3, type)])]);
  }
  b.rename(b.op('MatMul', [stream, b.random([WIDTH, VOCAB], 0.3, type)]), 'logits');
  b.output('logits', type, ['batch', 'sequence', VOCAB]);
  return b;
}

describe('operators that do a layer’s whole attention', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-fused-'));
    file = path.join(folder, 'model.onnx');
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const open = () => {
    const sizes = { layers: LAYERS, heads: HEADS, kvHeads: HEADS, headDim: HEAD_DIM, hiddenSize: WIDTH };
    const config = { architecture: 'test', ...sizes, vocabSize: VOCAB, contextLength: CONTEXT };
    return Decoder.open({
      graphFile: file,
      config: { ...config, bosTokenId: null, eosTokenId: null },
      device: 'cpu',
    });
  };

  /** What the operators say themselves: [H, T, T] a layer, after the softmax. */
  async function ownWeights(form: Form): Promise<readonly Float32Array[]> {
    build(form, true).write(file, form.opset);
    const session = await ort.InferenceSession.create(readFileSync(file), { logSeverityLevel: 3 });
    const run = await session.run({
      input_ids: new ort.Tensor('int64', BigInt64Array.from(IDS, BigInt), [1, IDS.length]),
      attention_mask: new ort.Tensor('int64', new BigInt64Array(IDS.length).fill(1n), [1, IDS.length]),
    });
    await session.release();
    const given = session.outputNames.filter((name) => name !== 'logits').map((name) => floatData(run[name]));
    return form.reveals!.what === 'weights' ? given : given.map((scores) => softmaxOfRows(scores, IDS.length));
  }

  for (const [name, form] of Object.entries(FORMS)) {
    it(`gives the weights of ${name}`, async () => {
      const expected = form.reveals === undefined ? null : await ownWeights(form);
      build(form, false).write(file, form.opset);
      const decoder = await open();
      try {
        assert.equal(decoder.attentionUnavailable, null);
        assert.equal(decoder.hiddenStatesUnavailable, null);
        assert.deepEqual(
          decoder.rerunLayers,
          name.includes('added') || name.includes('bias on the scores') ? [0, 1] : [],
        );
        const pass = await decoder.forward(IDS, { hiddenStates: true });
        const tolerance = form.type === DataType.Float16 ? 5e-3 : 1e-5;
        for (let layer = 0; layer < LAYERS; layer++) {
          const weights = await pass.attention!.layer(layer);
          checkRows(weights, IDS.length);
          if (expected !== null) {
            const worst = largestDifference(weights, expected[layer]);
            assert.ok(worst < tolerance, `layer ${layer} by ${worst}`);
          }
          const alone = await pass.attention!.head(layer, HEADS - 1);
          assert.ok(largestDifference(alone, weights.subarray(-alone.length)) < 1e-6, `last head of layer ${layer}`);
          // The stages see the same parts: what a head mixes is its weights times its values.
          const kept = { ids: IDS, stream: pass.stream };
          const { product, masked } = await decoder.anatomy.headScores(kept, layer, HEADS - 1);
          assert.equal(product.length, IDS.length ** 2);
          assert.ok(largestDifference(softmaxOfRows(masked, IDS.length), alone) < tolerance);
          const { attention } = await decoder.anatomy.additions(kept, layer);
          const [before, after] = [layer, layer + 1].map((at) => pass.hiddenStates![at]);
          assert.ok(
            largestDifference(
              after.map((value, at) => value - before[at]),
              attention,
            ) <
              4 * tolerance,
          );
        }
      } finally {
        await decoder.dispose();
      }
    });
  }

  it('works without the attention of an operator whose mask it cannot read', async () => {
    const lengths = (p: Ingredients) => p.b.tensor(DataType.Int32, [1], new Uint8Array(Int32Array.of(5).buffer));
    build({ operator: packed((p) => [p.weight([3 * WIDTH]), lengths(p)]) }, false).write(file);
    const decoder = await open();
    try {
      assert.match(decoder.attentionUnavailable!, /^The graph does not hand out its attention \(.*\)\.$/);
      const pass = await decoder.forward(IDS, { hiddenStates: true });
      assert.equal(pass.attention, null);
      assert.equal(pass.hiddenStates!.length, LAYERS + 1);
    } finally {
      await decoder.dispose();
    }
  });

  it('refuses an operator on which the runtime would end the process', async () => {
    build({ operator: packed(() => []) }, false).write(file);
    await assert.rejects(open(), { code: 'graph-unsupported', message: /Attention_\d+" without a bias/ });
  });

  it('names what it cannot take apart', async () => {
    const form = { operator: groupQuery({ attributes: { smooth_softmax: 1 } }) };
    build(form, false).write(file);
    const decoder = await open();
    try {
      assert.match(
        decoder.attentionUnavailable!,
        /^Every layer .* com\.microsoft\.GroupQueryAttention, which has a softmax that does not sum to 1; .*\.$/,
      );
    } finally {
      await decoder.dispose();
    }
  });
});

function softmaxOfRows(scores: Float32Array, length: number): Float32Array {
  const weights = new Float32Array(scores.length);
  for (let row = 0; row < scores.length; row += length) {
    const cells = scores.subarray(row, row + length);
    const largest = cells.reduce((most, cell) => Math.max(most, cell), Number.NEGATIVE_INFINITY);
    const powers = cells.map((cell) => Math.exp(cell - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    weights.set(
      powers.map((power) => power / sum),
      row,
    );
  }
  return weights;
}

function checkRows(weights: Float32Array, length: number): void {
  for (let row = 0; row < weights.length / length; row++) {
    const cells = weights.subarray(row * length, (row + 1) * length);
    assert.ok(Math.abs(cells.reduce((sum, cell) => sum + cell, 0) - 1) < 1e-3);
    assert.ok(cells.subarray((row % length) + 1).every((cell) => cell === 0));
  }
}

function largestDifference(actual: Float32Array, expected: Float32Array): number {
  assert.equal(actual.length, expected.length);
  return actual.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index])), 0);
}
