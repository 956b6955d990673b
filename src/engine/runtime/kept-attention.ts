import type { Tensor } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import { byteLengthOf, floatData } from './tensors';

/** The attention weights of one run of a model, from what the run left behind. */
export interface KeptAttention {
  readonly layers: number;
  readonly heads: number;
  /** T, in tokens. */
  readonly length: number;
  /** What is kept for all layers together. */
  readonly byteLength: number;
  /** [T, T] weights after the softmax, row by query; each row sums to 1. */
  head(layer: number, head: number): Promise<Float32Array>;
  /** [H, T, T] */
  layer(layer: number): Promise<Float32Array>;
  /** [T, T] of each head in turn. Use it before the next: that one may be written in its place. */
  eachHead(layer: number): AsyncGenerator<Float32Array>;
}

/**
 * Of a run that handed the weights out itself.
 *
 * @param weights of each layer, [1, H, T, T] or [H, T, T]
 */
export function keptWeights(weights: readonly Tensor[], heads: number, length: number): KeptAttention {
  const cells = length * length;
  const layerOf = (layer: number): Float32Array => floatData(weights[checkedLayer(layer, weights.length)]);
  return {
    layers: weights.length,
    heads,
    length,
    byteLength: weights.reduce((sum, tensor) => sum + byteLengthOf(tensor), 0),
    async head(layer, head) {
      checkHead(head, heads);
      return layerOf(layer).slice(head * cells, (head + 1) * cells);
    },
    async layer(layer) {
      return layerOf(layer);
    },
    async *eachHead(layer) {
      const all = layerOf(layer);
      for (let head = 0; head < heads; head++) {
        yield all.subarray(head * cells, (head + 1) * cells);
      }
    },
  };
}

/** @throws HeadlightError `argument-invalid` */
export function checkedLayer(layer: number, layers: number): number {
  if (!Number.isInteger(layer) || layer < 0 || layer >= layers) {
    throw new HeadlightError('argument-invalid', `There is no layer ${layer}; the model has ${layers}.`);
  }
  return layer;
}

/** @throws HeadlightError `argument-invalid` */
export function checkHead(head: number, heads: number): void {
  if (!Number.isInteger(head) || head < 0 || head >= heads) {
    throw new HeadlightError('argument-invalid', `There is no head ${head}; each layer has ${heads}.`);
  }
}
