import { readFileSync } from 'node:fs';
import path from 'node:path';
import { GraphWeights } from './graph-weights';

/** GPT-2's shape, as config.json names it. */
interface Gpt2Config {
  readonly n_layer: number;
  readonly n_head: number;
  readonly n_embd: number;
  readonly vocab_size: number;
  readonly layer_norm_epsilon: number;
  readonly activation_function: string;
}

/** What a run gives, in float64 and row-major. */
export interface Gpt2Run {
  /** [T, V] */
  readonly logits: Float64Array;
  /** By layer: [H, T, T], after the softmax. */
  readonly attention: readonly Float64Array[];
  /** L + 1 of [T, D]: the sum of the embeddings, then the residual stream after each block, before the final norm. */
  readonly hiddenStates: readonly Float64Array[];
  /** By layer. */
  readonly layers: readonly Gpt2Layer[];
}

/** What goes on inside one block. */
export interface Gpt2Layer {
  /** [H, T, T]: q·k / √d, of all pairs, before the mask. */
  readonly scores: Float64Array;
  /** [T, 3 D]: queries, keys and values, each head after head. */
  readonly joint: Float64Array;
  /** [T, D]: the values mixed by the weights, head after head. */
  readonly mixed: Float64Array;
  /** [T, D] each: what is added to the stream. */
  readonly attentionAdded: Float64Array;
  readonly feedForwardAdded: Float64Array;
  /** [T, 4 D]: before and after the activation. */
  readonly projected: Float64Array;
  readonly neurons: Float64Array;
}

/** One number that adds up with others to the difference of two logits. */
export interface Gpt2Part {
  readonly name: string;
  readonly value: number;
}

/** Rounds the result of one operation to a precision. */
type Rounding = (value: number) => number;

const toFloat64: Rounding = (value) => value;

/**
 * GPT-2, written down plainly to compare with: no runtime, no shared code with the engine's way to these numbers, float64
 * throughout. `inFloat32` shows what that precision can hold.
 */
export class ReferenceGpt2 {
  private constructor(
    private readonly config: Gpt2Config,
    private readonly weights: GraphWeights,
    private readonly round: Rounding,
  ) {}

  /** Reads a model folder with config.json and model.onnx. */
  static open(directory: string): ReferenceGpt2 {
    const config: Gpt2Config = JSON.parse(readFileSync(path.join(directory, 'config.json'), 'utf8'));
    if (config.activation_function !== 'gelu_new') {
      throw new Error(`the reference knows the tanh GELU (gelu_new), not ${config.activation_function}`);
    }
    return new ReferenceGpt2(config, GraphWeights.open(path.join(directory, 'model.onnx')), toFloat64);
  }

  /** The same weights and equations, rounded to float32 after every operation. */
  inFloat32(): ReferenceGpt2 {
    return new ReferenceGpt2(this.config, this.weights, Math.fround);
  }

  /** One of the model's weights, row-major. */
  weight(name: string): Float64Array {
    return this.weights.get(name);
  }

  run(ids: readonly number[]): Gpt2Run {
    const blocks = this.blocks(ids);
    return { logits: this.unembed(blocks.hiddenStates[blocks.layers.length]), ...blocks };
  }

  /** A run without the logits, which take most of its time. */
  blocks(ids: readonly number[]): Omit<Gpt2Run, 'logits'> {
    const { round } = this;
    const { n_layer, n_embd: width } = this.config;
    const length = ids.length;
    const tokenEmbedding = this.weights.get('wte.weight');
    const positionEmbedding = this.weights.get('wpe.weight');
    let stream = new Float64Array(length * width);
    for (let t = 0; t < length; t++) {
      for (let d = 0; d < width; d++) {
        stream[t * width + d] = round(tokenEmbedding[ids[t] * width + d] + positionEmbedding[t * width + d]);
      }
    }
    const hiddenStates = [stream];
    const attention: Float64Array[] = [];
    const layers: Gpt2Layer[] = [];
    for (let layer = 0; layer < n_layer; layer++) {
      const name = (part: string) => `h.${layer}.${part}`;
      const { mixed, weights, scores, joint } = this.attend(this.norm(stream, name('ln_1')), layer, length);
      const attentionAdded = this.linear(mixed, name('attn.c_proj'), width, width);
      const attended = this.add(stream, attentionAdded);
      const projected = this.linear(this.norm(attended, name('ln_2')), name('mlp.c_fc'), width, 4 * width);
      const neurons = projected.map((x) => round(gelu(x)));
      const feedForwardAdded = this.linear(neurons, name('mlp.c_proj'), 4 * width, width);
      stream = this.add(attended, feedForwardAdded);
      hiddenStates.push(stream);
      attention.push(weights);
      layers.push({ scores, joint, mixed, attentionAdded, feedForwardAdded, projected, neurons });
    }
    return { attention, hiddenStates, layers };
  }

  /** The logits [rows, V] that rows of the stream [rows, D] would have as the last ones. */
  unembed(stream: Float64Array): Float64Array {
    const { n_embd: width, vocab_size } = this.config;
    const tokenEmbedding = this.weights.get('wte.weight');
    const final = this.norm(stream, 'ln_f');
    const rows = stream.length / width;
    const logits = new Float64Array(rows * vocab_size);
    for (let t = 0; t < rows; t++) {
      for (let v = 0; v < vocab_size; v++) {
        // The head is the embedding again.
        let sum = 0;
        for (let d = 0; d < width; d++) {
          sum += final[t * width + d] * tokenEmbedding[v * width + d];
        }
        logits[t * vocab_size + v] = sum;
      }
    }
    return logits;
  }

  /** logit(target) − logit(against) at a position, by what the embeddings, each head and each feed-forward added. */
  attribute(run: Gpt2Run, position: number, target: number, against: number): readonly Gpt2Part[] {
    const { n_layer, n_head, n_embd: width, layer_norm_epsilon } = this.config;
    const headDim = width / n_head;
    const at = (rows: Float64Array) => rows.subarray(position * width, (position + 1) * width);
    const embedding = this.weights.get('wte.weight');
    const gain = this.weights.get('ln_f.weight');
    const direction = Float64Array.from({ length: width }, (_, d) => {
      return embedding[target * width + d] - embedding[against * width + d];
    });
    const last = at(run.hiddenStates[n_layer]);
    const mean = last.reduce((sum, x) => sum + x, 0) / width;
    const variance = last.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width;
    const push = (added: Float64Array) => {
      const centre = added.reduce((sum, x) => sum + x, 0) / width;
      const factor = (d: number) => gain[d] / Math.sqrt(variance + layer_norm_epsilon);
      return added.reduce((sum, x, d) => sum + (x - centre) * factor(d) * direction[d], 0);
    };
    const parts: Gpt2Part[] = [{ name: 'embedding', value: push(at(run.hiddenStates[0])) }];
    for (let layer = 0; layer < n_layer; layer++) {
      const { mixed, feedForwardAdded } = run.layers[layer];
      const projection = this.weights.get(`h.${layer}.attn.c_proj.weight`);
      for (let head = 0; head < n_head; head++) {
        const added = new Float64Array(width);
        for (let i = head * headDim; i < (head + 1) * headDim; i++) {
          for (let d = 0; d < width; d++) {
            added[d] += mixed[position * width + i] * projection[i * width + d];
          }
        }
        parts.push({ name: `head ${layer}.${head}`, value: push(added) });
      }
      parts.push({ name: `attention-bias ${layer}`, value: push(this.weights.get(`h.${layer}.attn.c_proj.bias`)) });
      parts.push({ name: `feed-forward ${layer}`, value: push(at(feedForwardAdded)) });
    }
    const bias = this.weights.get('ln_f.bias');
    parts.push({ name: 'final-bias', value: bias.reduce((sum, x, d) => sum + x * direction[d], 0) });
    return parts;
  }

  /** Causal attention of every head: the mixed values [T, D], the weights and the scores [H, T, T], and what they are of. */
  private attend(normed: Float64Array, layer: number, length: number) {
    const { round } = this;
    const { n_head: heads, n_embd: width } = this.config;
    const headDim = width / heads;
    // One row of three times the width: queries, keys, values, each head after head.
    const joint = this.linear(normed, `h.${layer}.attn.c_attn`, width, 3 * width);
    const query = (t: number, h: number, i: number) => joint[t * 3 * width + h * headDim + i];
    const key = (t: number, h: number, i: number) => joint[t * 3 * width + width + h * headDim + i];
    const value = (t: number, h: number, i: number) => joint[t * 3 * width + 2 * width + h * headDim + i];
    const mixed = new Float64Array(length * width);
    const weights = new Float64Array(heads * length * length);
    const everyScore = new Float64Array(weights.length);
    for (let h = 0; h < heads; h++) {
      for (let q = 0; q < length; q++) {
        const scores: number[] = [];
        for (let k = 0; k < length; k++) {
          let dot = 0;
          for (let i = 0; i < headDim; i++) {
            dot = round(dot + query(q, h, i) * key(k, h, i));
          }
          const score = round(dot / Math.sqrt(headDim));
          everyScore[(h * length + q) * length + k] = score;
          if (k <= q) {
            scores.push(score);
          }
        }
        const row = softmax(scores).map(round);
        for (let k = 0; k <= q; k++) {
          weights[(h * length + q) * length + k] = row[k];
          for (let i = 0; i < headDim; i++) {
            const at = q * width + h * headDim + i;
            mixed[at] = round(mixed[at] + row[k] * value(k, h, i));
          }
        }
      }
    }
    return { mixed, weights, scores: everyScore, joint };
  }

  /** [rows, from] → [rows, to], with a weight [from, to] and a bias [to]. */
  private linear(rows: Float64Array, name: string, from: number, to: number): Float64Array {
    const { round } = this;
    const weight = this.weights.get(`${name}.weight`);
    const bias = this.weights.get(`${name}.bias`);
    const count = rows.length / from;
    const result = new Float64Array(count * to);
    for (let row = 0; row < count; row++) {
      result.set(bias, row * to);
      for (let i = 0; i < from; i++) {
        const factor = rows[row * from + i];
        for (let j = 0; j < to; j++) {
          result[row * to + j] = round(result[row * to + j] + factor * weight[i * to + j]);
        }
      }
    }
    return result;
  }

  private norm(rows: Float64Array, name: string): Float64Array {
    const { n_embd: width, layer_norm_epsilon } = this.config;
    const scale = this.weights.get(`${name}.weight`);
    const bias = this.weights.get(`${name}.bias`);
    const result = new Float64Array(rows.length);
    for (let start = 0; start < rows.length; start += width) {
      const row = rows.subarray(start, start + width);
      const mean = row.reduce((sum, x) => sum + x, 0) / width;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width;
      for (let d = 0; d < width; d++) {
        const normed = ((row[d] - mean) / Math.sqrt(variance + layer_norm_epsilon)) * scale[d] + bias[d];
        result[start + d] = this.round(normed);
      }
    }
    return result;
  }

  private add(a: Float64Array, b: Float64Array): Float64Array<ArrayBuffer> {
    return Float64Array.from(a, (x, i) => this.round(x + b[i]));
  }
}

/** The tanh approximation, which GPT-2 was trained with. */
function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
