import { existsSync } from 'node:fs';
import { copyFile, mkdir, open, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodeModel, type NodeContent, type TensorContent, type ValueContent } from '../../src/engine/onnx/build';
import { DataType } from '../../src/engine/onnx/data-type';

/** The sizes of a GPT-2. */
export interface Gpt2Shape {
  readonly layers: number;
  readonly heads: number;
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly contextLength: number;
}

export const GPT2_SMALL: Gpt2Shape = { layers: 12, heads: 12, hiddenSize: 768, vocabSize: 50257, contextLength: 1024 };

/**
 * Writes a model folder with the shape of a GPT-2 and random weights, unless it is there already. Speed and memory do not
 * depend on what the weights are, so it stands for the real one in benches, and only there.
 *
 * @param tokenizerFrom a model folder whose tokenizer files are copied
 * @returns the folder
 */
export async function gpt2ShapedModel(folder: string, shape: Gpt2Shape, tokenizerFrom: string): Promise<string> {
  if (existsSync(path.join(folder, 'onnx', 'model.onnx'))) {
    return folder;
  }
  await mkdir(path.join(folder, 'onnx'), { recursive: true });
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
    await copyFile(path.join(tokenizerFrom, file), path.join(folder, file));
  }
  const { layers, heads, hiddenSize, vocabSize, contextLength } = shape;
  await writeFile(
    path.join(folder, 'config.json'),
    JSON.stringify({
      model_type: 'gpt2',
      architectures: ['GPT2LMHeadModel'],
      n_layer: layers,
      n_head: heads,
      n_embd: hiddenSize,
      n_positions: contextLength,
      n_ctx: contextLength,
      vocab_size: vocabSize,
      activation_function: 'gelu_new',
      layer_norm_epsilon: 1e-5,
      bos_token_id: 50256,
      eos_token_id: 50256,
    }),
  );
  const unfinished = path.join(folder, 'onnx', 'unfinished.onnx');
  const file = await open(unfinished, 'w');
  for (const chunk of new Gpt2Graph(shape).encode().chunks()) {
    await file.writeFile(chunk);
  }
  await file.close();
  await rename(unfinished, path.join(folder, 'onnx', 'model.onnx'));
  return folder;
}

/** Puts the nodes of a GPT-2 one after the other, as ordinary exporters write it: decomposed attention, past and present. */
class Gpt2Graph {
  private readonly nodes: NodeContent[] = [];
  private readonly initializers: TensorContent[] = [];
  private readonly headDim: number;
  private seed = 1;

  constructor(private readonly shape: Gpt2Shape) {
    this.headDim = shape.hiddenSize / shape.heads;
  }

  encode() {
    const { layers, heads, hiddenSize, vocabSize, contextLength } = this.shape;
    const wte = this.weights('wte', [vocabSize, hiddenSize]);
    const positions = this.weights('wpe', [contextLength, hiddenSize]);
    let stream = this.node('Add', [
      this.node('Gather', [wte, 'input_ids']),
      this.node('Gather', [positions, 'position_ids']),
    ]);
    const mask = this.mask();
    const cache = (kind: string, length: string): ValueContent[] =>
      Array.from({ length: layers * 2 }, (_, i) => ({
        name: `${kind}.${i >> 1}.${i % 2 === 0 ? 'key' : 'value'}`,
        elementType: DataType.Float32,
        dims: ['batch', heads, length, this.headDim],
      }));
    for (let layer = 0; layer < layers; layer++) {
      stream = this.block(layer, stream, mask);
    }
    const normed = this.norm('ln_f', stream);
    this.node('MatMul', [normed, this.node('Transpose', [wte], { perm: [1, 0] })], {}, ['logits']);
    const ids = (name: string, length: string): ValueContent => ({
      name,
      elementType: DataType.Int64,
      dims: ['batch', length],
    });
    return encodeModel({
      irVersion: 9,
      opsets: [['', 20]],
      graph: {
        nodes: this.nodes,
        initializers: this.initializers,
        inputs: [
          ids('input_ids', 'sequence'),
          ids('attention_mask', 'total'),
          ids('position_ids', 'sequence'),
          ...cache('past_key_values', 'past'),
        ],
        outputs: [
          { name: 'logits', elementType: DataType.Float32, dims: ['batch', 'sequence', vocabSize] },
          ...cache('present', 'total'),
        ],
      },
    });
  }

  /** [batch, 1, sequence, total]: 0 where a query may look, the lowest number elsewhere. */
  private mask(): string {
    const length = (of: string) =>
      this.node('Squeeze', [this.node('Shape', [of], { start: 1, end: 2 }), this.integers([0])]);
    const total = length('attention_mask');
    const zero = this.scalar(0n);
    const one = this.scalar(1n);
    const keys = this.node('Range', [zero, total, one]);
    const queries = this.node('Range', [this.node('Sub', [total, length('input_ids')]), total, one]);
    const causal = this.node('LessOrEqual', [keys, this.node('Unsqueeze', [queries, this.integers([1])])]);
    const present = this.node('Cast', ['attention_mask'], { to: DataType.Bool });
    const allowed = this.node('And', [causal, this.node('Unsqueeze', [present, this.integers([1, 2])])]);
    return this.node('Where', [allowed, this.number(0), this.number(-3.4028234663852886e38)]);
  }

  private block(layer: number, stream: string, mask: string): string {
    const { hiddenSize, heads } = this.shape;
    const at = `h.${layer}`;
    const third = [hiddenSize, hiddenSize, hiddenSize];
    const normed = this.norm(`${at}.ln_1`, stream);
    const fused = this.linear(`${at}.attn.c_attn`, normed, hiddenSize, 3 * hiddenSize);
    const [query, key, value] = ['query', 'key', 'value'].map((name) => `${at}.${name}`);
    this.node('Split', [fused, this.integers(third)], { axis: 2 }, [query, key, value]);
    const split = this.integers([0, 0, heads, this.headDim]);
    const byHead = (tensor: string) =>
      this.node('Transpose', [this.node('Reshape', [tensor, split])], { perm: [0, 2, 1, 3] });
    const withPast = (tensor: string, kind: string) =>
      this.node('Concat', [`past_key_values.${layer}.${kind}`, byHead(tensor)], { axis: 2 }, [
        `present.${layer}.${kind}`,
      ]);
    const keys = withPast(key, 'key');
    const values = withPast(value, 'value');
    const keysTransposed = this.node('Transpose', [keys], { perm: [0, 1, 3, 2] });
    const scores = this.node('Mul', [
      this.node('MatMul', [byHead(query), keysTransposed]),
      this.number(1 / Math.sqrt(this.headDim)),
    ]);
    const weights = this.node('Softmax', [this.node('Add', [scores, mask])], { axis: -1 });
    const mixed = this.node('Transpose', [this.node('MatMul', [weights, values])], { perm: [0, 2, 1, 3] });
    const joined = this.node('Reshape', [mixed, this.integers([0, 0, hiddenSize])]);
    const attended = this.node('Add', [stream, this.linear(`${at}.attn.c_proj`, joined, hiddenSize, hiddenSize)]);
    const up = this.linear(`${at}.mlp.c_fc`, this.norm(`${at}.ln_2`, attended), hiddenSize, 4 * hiddenSize);
    const active = this.node('Gelu', [up], { approximate: 'tanh' });
    return this.node('Add', [attended, this.linear(`${at}.mlp.c_proj`, active, 4 * hiddenSize, hiddenSize)]);
  }

  private norm(name: string, input: string): string {
    const size = this.shape.hiddenSize;
    const scale = this.tensor(`${name}.weight`, [size], new Float32Array(size).fill(1));
    const bias = this.tensor(`${name}.bias`, [size], new Float32Array(size));
    return this.node('LayerNormalization', [input, scale, bias], { axis: -1, epsilon: { float: 1e-5 } });
  }

  private linear(name: string, input: string, from: number, to: number): string {
    const product = this.node('MatMul', [input, this.weights(`${name}.weight`, [from, to])]);
    return this.node('Add', [product, this.tensor(`${name}.bias`, [to], new Float32Array(to))]);
  }

  private weights(name: string, dims: readonly number[]): string {
    const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
    for (let i = 0; i < values.length; i++) {
      // A linear congruential generator (Numerical Recipes) is random enough to keep the activations in an ordinary range.
      this.seed = (Math.imul(this.seed, 1664525) + 1013904223) | 0;
      values[i] = this.seed * (0.035 / 2 ** 31);
    }
    return this.tensor(name, dims, values);
  }

  private number(value: number): string {
    return this.tensor(`constant.${this.initializers.length}`, [], Float32Array.of(value));
  }

  private scalar(value: bigint): string {
    return this.tensor(`constant.${this.initializers.length}`, [], BigInt64Array.of(value));
  }

  private integers(values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.tensor(`constant.${this.initializers.length}`, [values.length], data);
  }

  private tensor(name: string, dims: readonly number[], values: Float32Array | BigInt64Array): string {
    const dataType = values instanceof Float32Array ? DataType.Float32 : DataType.Int64;
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.initializers.push({ name, dataType, dims, data });
    return name;
  }

  private node(
    opType: string,
    inputs: readonly string[],
    attributes: NonNullable<NodeContent['attributes']> = {},
    outputs: readonly string[] = [`${opType}_${this.nodes.length}`],
  ): string {
    this.nodes.push({ opType, name: `/${opType}_${this.nodes.length}`, inputs, outputs, attributes });
    return outputs[0];
  }
}
