import type { DecoderConfig } from '../../../../src/engine/model/config';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { GraphBuilder } from './graph-builder';

/** A decoder with random weights, in the shapes that exporters give it. */
export interface DecoderShape {
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads?: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly seed?: number;
  readonly dataType?: DataType.Float32 | DataType.Float16;
  /** One product gives queries, keys and values together (GPT-2), or three do (Llama). */
  readonly qkv?: 'fused' | 'separate';
  /** Divide the scores (old exporters), multiply queries and keys (new ones), or multiply by what the graph computes. */
  readonly scale?: 'divide' | 'before' | 'computed';
  /** Select by a slice of a stored triangle (old), add a large negative number (new), or the one after the other. */
  readonly mask?: 'where' | 'add' | 'where-add';
  /** Tokens a query sees, itself included. */
  readonly slidingWindow?: number;
  /** Computed sines and cosines are `sinusoidal`. */
  readonly positions?: 'learned' | 'rotary' | 'alibi' | 'sinusoidal';
  /** The first token's row of the table of positions (OPT: 2). */
  readonly firstPosition?: number;
  /**
   * Numbers of each head that are turned, and whether i goes with i + half of them or 2i with 2i + 1 (GPT-J); by sines and
   * cosines that are computed, or looked up number by number in a table that is repeated for a batch (GPT-J).
   */
  readonly rotation?: {
    readonly width: number;
    readonly pairing: 'halves' | 'neighbours';
    readonly source: 'computed' | 'table';
  };
  /** Bounds the scores by tanh (Gemma 2). */
  readonly softcap?: number;
  /** Softmax in float32 between two casts, or in double precision for a float32 model. */
  readonly softmaxCasts?: boolean;
  /** Turns rows that are not a number into zeros after the softmax, as PyTorch's exporter does. */
  readonly nanGuard?: boolean;
  /** Both products as Einsum. */
  readonly einsum?: boolean;
  /** Each layer adds its own number for every cell, as relative position biases do. */
  readonly cellBias?: boolean;
  /** Fold batch and heads into one axis (OPT, BLOOM). */
  readonly foldedHeads?: boolean;
  /** Attention and feed-forward read the same stream (GPT-J, NeoX, Phi). */
  readonly parallelBlocks?: boolean;
  /** The feed-forward and its sum work on [T, D], and their result gets its shape back (OPT). */
  readonly foldedTokens?: boolean;
  /** The norm out of its parts, as before opset 17. */
  readonly decomposedNorm?: boolean;
  /** Take and give a key/value cache. */
  readonly past?: boolean;
  /** Take the tokens' positions as `position_ids` [1, T] instead of counting them. */
  readonly positionIds?: boolean;
  /** A mixture of two feed-forwards, weighed by a softmax that is no attention. */
  readonly router?: boolean;
  /** The head's weight is computed in a way that no token can be taken out of. */
  readonly computedHead?: boolean;
  /** One node of onnxruntime for the whole attention; closed where its softmax leaves a part of the weight to nothing. */
  readonly fusedAttention?: 'open' | 'closed';
}

/** The names of what a built graph computes on the way, to compare with. */
export interface DecoderTensors {
  readonly weights: readonly string[];
  /** Layers + 1: the embeddings' sum, and the residual stream after each block. */
  readonly stream: readonly string[];
}

/** As GPT-2 small: 12 × 12 heads of 64, 50,257 tokens, 1,024 positions. */
export const GPT2_SMALL: DecoderShape = {
  layers: 12,
  heads: 12,
  headDim: 64,
  vocabSize: 50_257,
  contextLength: 1024,
  qkv: 'fused',
  scale: 'divide',
  mask: 'where',
  decomposedNorm: false,
};

/** What the configuration of such a model's folder says. */
export function configOf({ layers, heads, kvHeads, headDim, vocabSize, contextLength }: DecoderShape): DecoderConfig {
  return {
    architecture: 'test',
    layers,
    heads,
    kvHeads: kvHeads ?? heads,
    headDim,
    hiddenSize: heads * headDim,
    vocabSize,
    contextLength,
    bosTokenId: null,
    eosTokenId: null,
  };
}

/**
 * Builds a decoder: inputs `input_ids` and `attention_mask` [1, T] (and `past_key_values.N.key`/`.value` with
 * `past`), output `logits` [1, T, V].
 */
export function buildDecoder(shape: DecoderShape): {
  readonly builder: GraphBuilder;
  readonly tensors: DecoderTensors;
} {
  const decoder = new DecoderBuilder(shape);
  return { builder: decoder.builder, tensors: decoder.build() };
}

class DecoderBuilder {
  readonly builder: GraphBuilder;
  private readonly type: DataType.Float32 | DataType.Float16;
  private readonly hiddenSize: number;
  private readonly kvHeads: number;
  /** [T], int64: the place of each token behind those of the cache, and the position that the model is told. */
  private positions = '';
  private toldPositions = '';
  /** [1, 1, T, past + T], float: 0 where a query sees a key. */
  private additiveMask = '';
  /** Scalars: past + T and T. */
  private keyLength = '';
  private queryLength = '';
  private rotation = { cos: '', sin: '' };

  constructor(private readonly shape: DecoderShape) {
    this.builder = new GraphBuilder(shape.seed ?? 1);
    this.type = shape.dataType ?? DataType.Float32;
    this.hiddenSize = shape.heads * shape.headDim;
    this.kvHeads = shape.kvHeads ?? shape.heads;
  }

  build(): DecoderTensors {
    const { builder: b, shape, type } = this;
    const ids = b.input('input_ids', DataType.Int64, ['batch', 'sequence']);
    b.input('attention_mask', DataType.Int64, ['batch', 'total']);
    this.lengths(ids);
    this.masks();
    const embedding = b.random([shape.vocabSize, this.hiddenSize], 0.5, type, 'wte.weight');
    let stream = b.op('Gather', [embedding, ids]);
    if ((shape.positions ?? 'learned') === 'learned') {
      const first = shape.firstPosition ?? 0;
      const table = b.random([shape.contextLength + first, this.hiddenSize], 0.2, type, 'wpe.weight');
      const rows = first === 0 ? this.toldPositions : b.op('Add', [this.toldPositions, b.int64([first], [])]);
      stream = b.op('Add', [stream, b.op('Gather', [table, b.op('Unsqueeze', [rows, b.int64([0])])])]);
    } else if (shape.positions === 'sinusoidal') {
      stream = b.op('Add', [stream, this.sinusoids()]);
    }
    const streams = [stream];
    const weights: string[] = [];
    for (let layer = 0; layer < shape.layers; layer++) {
      const attention = this.attention(this.norm(stream), layer);
      weights.push(attention.weights);
      if (shape.parallelBlocks) {
        const added = b.op('Add', [attention.output, this.feedForward(this.norm(stream))]);
        stream = b.op('Add', [added, stream]);
      } else {
        stream = b.op('Add', [attention.output, stream]);
        const whole = stream;
        if (shape.foldedTokens) {
          stream = b.op('Reshape', [stream, b.int64([-1, this.hiddenSize])]);
        }
        stream = b.op('Add', [stream, this.feedForward(this.norm(stream))]);
        if (shape.foldedTokens) {
          streams.push(stream);
          stream = b.op('Reshape', [stream, b.op('Shape', [whole])]);
          continue;
        }
      }
      streams.push(stream);
    }
    const transposed = b.op('Transpose', [embedding], { perm: [1, 0] });
    const head = shape.computedHead ? b.op('Concat', [transposed], { axis: 1 }) : transposed;
    b.rename(b.op('MatMul', [this.norm(stream), head]), 'logits');
    b.output('logits', type, ['batch', 'sequence', shape.vocabSize]);
    return { weights, stream: streams };
  }

  private lengths(ids: string): void {
    const { builder: b } = this;
    const zero = b.int64([0], []);
    const one = b.int64([1], []);
    this.queryLength = b.op('Gather', [b.op('Shape', [ids]), one], { axis: 0 });
    this.keyLength = b.op('Gather', [b.op('Shape', ['attention_mask']), one], { axis: 0 });
    const past = b.op('Sub', [this.keyLength, this.queryLength]);
    const range = b.op('Range', [zero, this.queryLength, one]);
    this.positions = b.op('Add', [range, past]);
    this.toldPositions = this.shape.positionIds
      ? b.op('Squeeze', [b.input('position_ids', DataType.Int64, ['batch', 'sequence']), b.int64([0])])
      : this.positions;
    if (this.shape.positions === 'rotary') {
      this.rotary();
    }
  }

  /** [T, N]: the position times 10,000^(−i / N). */
  private angles(pairs: number): string {
    const { builder: b } = this;
    const frequencies = Array.from({ length: pairs }, (_, index) => 10_000 ** (-index / pairs));
    const positions = b.op('Unsqueeze', [b.op('Cast', [this.toldPositions], { to: DataType.Float32 }), b.int64([1])]);
    return b.op('MatMul', [positions, b.floats([1, pairs], frequencies)]);
  }

  private typed(name: string): string {
    return this.type === DataType.Float32 ? name : this.builder.op('Cast', [name], { to: this.type });
  }

  /** [T, D]: sines, then cosines (Vaswani et al. 2017). */
  private sinusoids(): string {
    const { builder: b } = this;
    const angles = this.angles(this.hiddenSize / 2);
    return this.typed(b.op('Concat', [b.op('Sin', [angles]), b.op('Cos', [angles])], { axis: -1 }));
  }

  private rotary(): void {
    const { builder: b } = this;
    const { width, pairing, source } = this.turned;
    const both = (half: string) =>
      pairing === 'halves'
        ? b.op('Concat', [half, half], { axis: -1 })
        : this.interleaved(half, half, b.int64([-1, width]));
    if (source === 'table') {
      const [sines, cosines] = b.ops('Split', [this.rowsOfTable(width)], 2, { axis: -1 });
      this.rotation = { cos: this.typed(both(cosines)), sin: this.typed(both(sines)) };
    } else {
      const angles = both(this.angles(width / 2));
      this.rotation = { cos: this.typed(b.op('Cos', [angles])), sin: this.typed(b.op('Sin', [angles])) };
    }
  }

  /** [1, T, N]: half of them sines, half cosines. */
  private rowsOfTable(width: number): string {
    const { builder: b, shape } = this;
    const pairs = width / 2;
    const table = Array.from({ length: shape.contextLength * width }, (_, at) => {
      const place = at % width;
      const angle = Math.floor(at / width) * 10_000 ** (-(place % pairs) / pairs);
      return place < pairs ? Math.sin(angle) : Math.cos(angle);
    });
    const one = b.int64([1]);
    const batch = b.op('Unsqueeze', [b.op('Gather', [b.op('Shape', ['input_ids']), b.int64([0], [])]), b.int64([0])]);
    const repeated = b.op('Tile', [
      b.floats([1, shape.contextLength, width], table),
      b.op('Concat', [batch, one, one], { axis: 0 }),
    ]);
    const length = b.op('Unsqueeze', [this.queryLength, b.int64([0])]);
    const places = b.op('Expand', [
      b.op('Unsqueeze', [this.toldPositions, b.int64([0, 2])]),
      b.op('Concat', [one, length, b.int64([width])], { axis: 0 }),
    ]);
    return b.op('GatherElements', [repeated, places], { axis: 1 });
  }

  private get turned(): NonNullable<DecoderShape['rotation']> {
    return this.shape.rotation ?? { width: this.shape.headDim, pairing: 'halves', source: 'computed' };
  }

  /** The numbers of two tensors by turns. */
  private interleaved(even: string, odd: string, shape: string): string {
    const { builder: b } = this;
    const pairs = [even, odd].map((name) => b.op('Unsqueeze', [name, b.int64([-1])]));
    return b.op('Reshape', [b.op('Concat', pairs, { axis: -1 }), shape]);
  }

  private masks(): void {
    const { builder: b, shape } = this;
    const keys = b.op('Range', [b.int64([0], []), this.keyLength, b.int64([1], [])]);
    const rows = b.op('Unsqueeze', [this.positions, b.int64([1])]);
    const distance = b.op('Sub', [rows, b.op('Unsqueeze', [keys, b.int64([0])])]);
    let hidden = b.op('Less', [distance, b.int64([0], [])]);
    if (shape.slidingWindow !== undefined) {
      hidden = b.op('Or', [hidden, b.op('Greater', [distance, b.int64([shape.slidingWindow - 1], [])])]);
    }
    const attended = b.op('Unsqueeze', ['attention_mask', b.int64([1, 2])]);
    const padding = b.op('Equal', [attended, b.int64([0], [])]);
    const least = this.constant(this.type === DataType.Float16 ? -65504 : -3.4028234663852886e38);
    // Old exporters put the triangle into each layer, and only the padding and the window into what is added.
    const added =
      shape.mask === 'where-add' && shape.slidingWindow === undefined ? padding : b.op('Or', [hidden, padding]);
    this.additiveMask = b.op('Where', [added, least, this.constant(0)]);
  }

  private attention(input: string, layer: number): { readonly output: string; readonly weights: string } {
    const { builder: b, shape, hiddenSize } = this;
    if (shape.fusedAttention) {
      return { output: this.fusedAttention(input, layer), weights: '' };
    }
    let [queries, keys, values] = this.project(input);
    if (shape.positions === 'rotary') {
      queries = this.rotate(queries);
      keys = this.rotate(keys);
    }
    if (shape.past) {
      keys = this.cached(keys, layer, 'key');
      values = this.cached(values, layer, 'value');
    }
    keys = this.repeated(keys);
    values = this.repeated(values);
    if (shape.foldedHeads) {
      [queries, keys, values] = [queries, keys, values].map((name) => this.fold(name));
    }
    if (shape.einsum) {
      const product = b.op('Einsum', [queries, keys], { equation: 'bhqd,bhkd->bhqk' });
      const weights = this.weights(product, queries, layer);
      const context = b.op('Einsum', [values, weights], { equation: 'bhkd,bhqk->bqhd' });
      const flat = b.op('Reshape', [context, b.int64([1, -1, hiddenSize])]);
      return { output: this.linear(flat, hiddenSize, hiddenSize), weights };
    }
    let transposed = b.op('Transpose', [keys], { perm: shape.foldedHeads ? [0, 2, 1] : [0, 1, 3, 2] });
    if (shape.scale === 'before') {
      const root = this.constant(shape.headDim ** -0.25);
      queries = b.op('Mul', [queries, root]);
      transposed = b.op('Mul', [transposed, root]);
    }
    const weights = this.weights(b.op('MatMul', [queries, transposed]), queries, layer);
    let context = b.op('MatMul', [weights, values]);
    if (shape.foldedHeads) {
      context = b.op('Reshape', [context, b.int64([1, shape.heads, -1, shape.headDim])]);
    }
    const merged = b.op('Transpose', [context], { perm: [0, 2, 1, 3] });
    const flat = b.op('Reshape', [merged, b.int64([1, -1, hiddenSize])]);
    return { output: this.linear(flat, hiddenSize, hiddenSize), weights };
  }

  private weights(product: string, queries: string, layer: number): string {
    const { builder: b, shape, type } = this;
    let scores = product;
    if ((shape.scale ?? 'divide') === 'divide') {
      scores = b.op('Div', [scores, this.constant(Math.sqrt(shape.headDim))]);
    } else if (shape.scale === 'computed') {
      const width = b.op('Gather', [b.op('Shape', [queries]), b.int64([-1], [])], { axis: 0 });
      const root = b.op('Sqrt', [b.op('Cast', [width], { to: type })]);
      scores = b.op('Mul', [scores, b.op('Div', [this.constant(1), root])]);
    }
    if (shape.softcap !== undefined) {
      const cap = this.constant(shape.softcap);
      scores = b.op('Mul', [b.op('Tanh', [b.op('Div', [scores, cap])]), cap]);
    }
    if (shape.foldedHeads) {
      const dims = b.op(
        'Concat',
        [b.int64([1, shape.heads]), this.vector(this.queryLength), this.vector(this.keyLength)],
        {
          axis: 0,
        },
      );
      scores = b.op('Reshape', [scores, dims]);
    }
    if (shape.positions === 'alibi') {
      const slopes = Array.from({ length: shape.heads }, (_, head) => 2 ** (-8 * ((head + 1) / shape.heads)));
      const keys = b.op('Range', [b.int64([0], []), this.keyLength, b.int64([1], [])]);
      const distances = b.op('Cast', [keys], { to: DataType.Float32 });
      const bias = b.op('Mul', [b.floats([1, shape.heads, 1, 1], slopes), distances]);
      scores = b.op('Add', [scores, bias]);
    }
    if (shape.cellBias) {
      scores = b.op('Add', [scores, this.cellBias()]);
    }
    const mask = shape.mask ?? 'where-add';
    if (mask !== 'add') {
      const triangle = this.triangle(layer);
      scores = b.op('Where', [
        triangle,
        scores,
        this.constant(type === DataType.Float16 ? -65504 : -3.4028234663852886e38),
      ]);
    }
    if (mask !== 'where') {
      scores = b.op('Add', [scores, this.additiveMask]);
    }
    if (shape.foldedHeads) {
      const dims = b.op(
        'Concat',
        [b.int64([shape.heads]), this.vector(this.queryLength), this.vector(this.keyLength)],
        {
          axis: 0,
        },
      );
      scores = b.op('Reshape', [scores, dims]);
    }
    if (shape.softmaxCasts) {
      scores = b.op('Cast', [scores], { to: type === DataType.Float16 ? DataType.Float32 : DataType.Float64 });
    }
    let weights = b.op('Softmax', [scores], { axis: -1 });
    if (shape.softmaxCasts) {
      weights = b.op('Cast', [weights], { to: type });
    }
    if (shape.nanGuard) {
      weights = b.op('Where', [b.op('IsNaN', [weights]), this.constant(0), weights]);
    }
    return weights;
  }

  /** [1, H, T, past + T] */
  private cellBias(): string {
    const { builder: b, shape } = this;
    const keys = b.op('Range', [b.int64([0], []), this.keyLength, b.int64([1], [])]);
    const rows = b.op('Unsqueeze', [this.positions, b.int64([1])]);
    const distance = b.op('Abs', [b.op('Sub', [rows, b.op('Unsqueeze', [keys, b.int64([0])])])]);
    const table = b.random([shape.contextLength, shape.heads], 2, this.type);
    const bias = b.op('Transpose', [b.op('Gather', [table, distance])], { perm: [2, 0, 1] });
    return b.op('Unsqueeze', [bias, b.int64([0])]);
  }

  /** [1, 1, T, past + T] of the layer's own stored triangle, cut to size: GPT-2's `bias` buffer. */
  private triangle(layer: number): string {
    const { builder: b, shape } = this;
    const side = shape.contextLength;
    const cells = new Uint8Array(side * side);
    for (let row = 0; row < side; row++) {
      cells.fill(1, row * side, row * side + row + 1);
    }
    const stored = b.tensor(DataType.Bool, [1, 1, side, side], cells, `h.${layer}.attn.bias`);
    const from = this.vector(b.op('Sub', [this.keyLength, this.queryLength]));
    const to = this.vector(this.keyLength);
    const rows = b.op('Slice', [stored, from, to, b.int64([2]), b.int64([1])]);
    return b.op('Slice', [rows, b.int64([0]), to, b.int64([3]), b.int64([1])]);
  }

  /** Queries [1, H, T, d], keys and values [1, kvHeads, T, d]. */
  private project(input: string): [string, string, string] {
    const { builder: b, shape, hiddenSize } = this;
    const kvSize = this.kvHeads * shape.headDim;
    const split = (name: string, heads: number) =>
      b.op('Transpose', [b.op('Reshape', [name, b.int64([1, -1, heads, shape.headDim])])], { perm: [0, 2, 1, 3] });
    let parts: readonly string[];
    if ((shape.qkv ?? 'fused') === 'fused') {
      const all = this.linear(input, hiddenSize, hiddenSize + 2 * kvSize, 3);
      parts = b.ops('Split', [all, b.int64([hiddenSize, kvSize, kvSize])], 3, { axis: 2 });
    } else {
      parts = [hiddenSize, kvSize, kvSize].map((size) => this.linear(input, hiddenSize, size, 3));
    }
    return [split(parts[0], shape.heads), split(parts[1], this.kvHeads), split(parts[2], this.kvHeads)];
  }

  private rotate(name: string): string {
    const { builder: b, shape } = this;
    const { width, pairing } = this.turned;
    const part = (of: string, from: number, to: number, step = 1) =>
      b.op('Slice', [of, ...[[from], [to], [3], [step]].map((numbers) => b.int64(numbers))]);
    const own = width === shape.headDim ? name : part(name, 0, width);
    const turned =
      pairing === 'halves'
        ? b.op('Concat', [b.op('Neg', [part(own, width / 2, width)]), part(own, 0, width / 2)], { axis: -1 })
        : this.interleaved(b.op('Neg', [part(own, 1, width, 2)]), part(own, 0, width, 2), b.op('Shape', [own]));
    const { cos, sin } = this.rotation;
    const after = b.op('Add', [b.op('Mul', [own, cos]), b.op('Mul', [turned, sin])]);
    return own === name ? after : b.op('Concat', [after, part(name, width, shape.headDim)], { axis: -1 });
  }

  private cached(name: string, layer: number, kind: 'key' | 'value'): string {
    const { builder: b } = this;
    const past = this.pastInput(layer, kind);
    const present = b.rename(b.op('Concat', [past, name], { axis: 2 }), `present.${layer}.${kind}`);
    this.presentOutput(present);
    return present;
  }

  private pastInput(layer: number, kind: string): string {
    const { builder: b, shape, type } = this;
    return b.input(`past_key_values.${layer}.${kind}`, type, ['batch', this.kvHeads, 'past', shape.headDim]);
  }

  private presentOutput(name: string): void {
    const { builder: b, shape, type } = this;
    b.output(name, type, ['batch', this.kvHeads, 'total', shape.headDim]);
  }

  /** Each key/value head for its group of query heads, as Llama's `repeat_kv`. */
  private repeated(name: string): string {
    const { builder: b, shape } = this;
    const times = shape.heads / this.kvHeads;
    if (times === 1) {
      return name;
    }
    const dims = b.op(
      'Concat',
      [b.int64([1, this.kvHeads, times]), this.vector(this.keyLength), b.int64([shape.headDim])],
      { axis: 0 },
    );
    const expanded = b.op('Expand', [b.op('Unsqueeze', [name, b.int64([2])]), dims]);
    return b.op('Reshape', [expanded, b.int64([1, shape.heads, -1, shape.headDim])]);
  }

  /** [H, T, d] */
  private fold(name: string): string {
    return this.builder.op('Reshape', [name, this.builder.int64([this.shape.heads, -1, this.shape.headDim])]);
  }

  private fusedAttention(input: string, layer: number): string {
    const { builder: b, shape, hiddenSize } = this;
    const [queries, keys, values] = [hiddenSize, this.kvHeads * shape.headDim, this.kvHeads * shape.headDim].map(
      (size) => this.linear(input, hiddenSize, size),
    );
    const last = b.op('Cast', [b.op('Sub', [this.keyLength, b.int64([1], [])])], { to: DataType.Int32 });
    const kinds = shape.past ? ['key', 'value'] : [];
    const past = kinds.map((kind) => this.pastInput(layer, kind));
    const [output, ...present] = b.ops(
      'GroupQueryAttention',
      [
        queries,
        keys,
        values,
        past[0] ?? '',
        past[1] ?? '',
        this.vector(last),
        b.op('Cast', [this.keyLength], { to: DataType.Int32 }),
      ],
      3,
      {
        num_heads: shape.heads,
        kv_num_heads: this.kvHeads,
        ...(shape.fusedAttention === 'closed' ? { smooth_softmax: 1 } : {}),
      },
      'com.microsoft',
    );
    for (const [index, kind] of kinds.entries()) {
      this.presentOutput(b.rename(present[index], `present.${layer}.${kind}`));
    }
    return this.linear(output, hiddenSize, hiddenSize);
  }

  private feedForward(input: string): string {
    const { builder: b, shape, hiddenSize, type } = this;
    const one = () => {
      const up = this.linear(input, hiddenSize, 4 * hiddenSize);
      return this.linear(b.op('Mul', [up, b.op('Sigmoid', [up])]), 4 * hiddenSize, hiddenSize);
    };
    if (!shape.router) {
      return one();
    }
    const choice = b.op('Softmax', [b.op('MatMul', [input, b.random([hiddenSize, 2], 1, type)])], { axis: -1 });
    const row = b.op('Unsqueeze', [choice, b.int64([2])]);
    const experts = [one(), one()].map((name) => b.op('Unsqueeze', [name, b.int64([2])]));
    return b.op('Squeeze', [b.op('MatMul', [row, b.op('Concat', experts, { axis: 2 })]), b.int64([2])]);
  }

  private linear(input: string, from: number, to: number, gain = 1): string {
    const { builder: b, type } = this;
    const product = b.op('MatMul', [input, b.random([from, to], gain * Math.sqrt(3 / from), type)]);
    return b.op('Add', [b.random([to], 0.1, type), product]);
  }

  private norm(input: string): string {
    const { builder: b, hiddenSize, type } = this;
    const gain = b.random([hiddenSize], 1, type);
    const bias = b.random([hiddenSize], 0.1, type);
    if (!this.shape.decomposedNorm) {
      return b.op('LayerNormalization', [input, gain, bias], { axis: -1, epsilon: { float: 1e-5 } });
    }
    const centred = b.op('Sub', [input, b.op('ReduceMean', [input], { axes: [-1] })]);
    const variance = b.op('ReduceMean', [b.op('Pow', [centred, this.constant(2)])], { axes: [-1] });
    const deviation = b.op('Sqrt', [b.op('Add', [variance, this.constant(1e-5)])]);
    return b.op('Add', [b.op('Mul', [b.op('Div', [centred, deviation]), gain]), bias]);
  }

  private constant(value: number): string {
    return this.builder.scalar(value, this.type);
  }

  private vector(scalar: string): string {
    return this.builder.op('Unsqueeze', [scalar, this.builder.int64([0])]);
  }
}
