import type { HeadCombination } from '../../protocol/heads';
import type { KeptAttention } from '../runtime/kept-attention';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** Rows of a product between two looks at the cancellation. */
const ROWS_BETWEEN_PAUSES = 64;

/**
 * The heads of a trace's attention taken together: their mean or largest weight within a layer or in the whole model, and
 * attention rollout. The newest matrix of each kind is kept, [T, T]; a rollout goes on from the layer that was asked for
 * before.
 */
export class CombinedAttention {
  private readonly newest = new Map<HeadCombination, { readonly layer: number; readonly matrix: Float32Array }>();

  constructor(private readonly attention: KeptAttention) {}

  /**
   * @param layer the layer whose heads are combined; a rollout is taken up to it, and "model" ones do not depend on it
   * @returns [T, T]
   */
  async matrix(kind: HeadCombination, layer: number, cancellation?: Cancellation): Promise<Float32Array> {
    const kept = this.newest.get(kind);
    if (kept !== undefined && (kept.layer === layer || kind === 'model-mean' || kind === 'model-max')) {
      return kept.matrix;
    }
    const matrix = await this.compute(kind, layer, cancellation);
    this.newest.set(kind, { layer, matrix });
    return matrix;
  }

  private async compute(kind: HeadCombination, layer: number, cancellation?: Cancellation): Promise<Float32Array> {
    switch (kind) {
      case 'layer-mean':
        return this.over([layer], false, cancellation);
      case 'layer-max':
        return this.over([layer], true, cancellation);
      case 'model-mean':
        return this.over(allOf(this.attention.layers), false, cancellation);
      case 'model-max':
        return this.over(allOf(this.attention.layers), true, cancellation);
      case 'rollout':
        return this.rollout(layer, cancellation);
    }
  }

  /** The mean or the largest weight of all heads of these layers. */
  private async over(layers: readonly number[], largest: boolean, cancellation?: Cancellation): Promise<Float32Array> {
    const { heads, length } = this.attention;
    const cells = length * length;
    const combined = new Float32Array(cells);
    const share = 1 / (heads * layers.length);
    for (const layer of layers) {
      await pauseUnlessCancelled(cancellation);
      for await (const weights of this.attention.eachHead(layer)) {
        for (let cell = 0; cell < cells; cell++) {
          const weight = weights[cell];
          combined[cell] = largest ? Math.max(combined[cell], weight) : combined[cell] + share * weight;
        }
      }
    }
    return combined;
  }

  /**
   * Attention rollout (Abnar and Zuidema, "Quantifying Attention Flow in Transformers", 2020):
   * Ã_l = (½ · mean over heads of A_l + ½ · I) · Ã_{l−1}, with Ã of before the first layer = I.
   */
  private async rollout(layer: number, cancellation?: Cancellation): Promise<Float32Array> {
    const { length } = this.attention;
    const before = this.newest.get('rollout');
    const goesOn = before !== undefined && before.layer < layer;
    let flow = goesOn ? before.matrix : identity(length);
    for (let at = goesOn ? before.layer + 1 : 0; at <= layer; at++) {
      const step = await this.over([at], false, cancellation);
      for (let cell = 0; cell < step.length; cell++) {
        step[cell] *= 0.5;
      }
      for (let token = 0; token < length; token++) {
        step[token * length + token] += 0.5;
      }
      flow = await product(step, flow, length, cancellation);
    }
    return flow;
  }
}

function allOf(layers: number): number[] {
  return Array.from({ length: layers }, (_, layer) => layer);
}

function identity(length: number): Float32Array {
  const matrix = new Float32Array(length * length);
  for (let token = 0; token < length; token++) {
    matrix[token * length + token] = 1;
  }
  return matrix;
}

/** a · b of two [T, T]. Zeros cost nothing: causal attention is a triangle of them. */
async function product(
  a: Float32Array,
  b: Float32Array,
  length: number,
  cancellation: Cancellation | undefined,
): Promise<Float32Array> {
  const result = new Float32Array(length * length);
  // Past the last number of a row there is nothing to add.
  const ends = Uint32Array.from({ length }, (_, row) => {
    let end = length;
    while (end > 0 && b[row * length + end - 1] === 0) {
      end--;
    }
    return end;
  });
  const sums = new Float64Array(length);
  for (let row = 0; row < length; row++) {
    if (row % ROWS_BETWEEN_PAUSES === 0) {
      await pauseUnlessCancelled(cancellation);
    }
    sums.fill(0);
    for (let middle = 0; middle < length; middle++) {
      const factor = a[row * length + middle];
      if (factor !== 0) {
        const from = middle * length;
        for (let column = 0; column < ends[middle]; column++) {
          sums[column] += factor * b[from + column];
        }
      }
    }
    result.set(sums, row * length);
  }
  return result;
}
