import { HeadlightError } from '../../protocol/errors';
import {
  HEADS_NOT_TOLD,
  type HeadStepMatrix,
  type HeadStepParams,
  type WorkedKey,
  type WorkedRow,
  type WorkedRowParams,
} from '../../protocol/stages';
import type { Anatomy, HeadScores, KeptPass, LayerTensors } from '../runtime/anatomy';
import { type Grouping, poolWeights, windowCells } from './pool';

/** A head's own part of its layer, row by token. */
interface HeadVectors {
  /** [T, d] */
  readonly queries: Float32Array;
  readonly keys: Float32Array;
  readonly headDim: number;
  /** [T, d of the values] */
  readonly values: Float32Array;
  readonly mixed: Float32Array;
  readonly valueDim: number;
}

/**
 * One step of a head over a window.
 *
 * @param weights [T, T] of the head, after the softmax
 */
export async function headStep(
  anatomy: Anatomy,
  pass: KeptPass,
  weights: Float32Array,
  { layer, head, queries, keys, resolution, step, units = null }: HeadStepParams,
): Promise<HeadStepMatrix> {
  const length = pass.ids.length;
  const { rows, columns, shape } = windowCells(queries, keys, resolution, units);
  const cells = await stepCells(anatomy, pass, weights, layer, head, step);
  const isScore = step === 'scores' || step === 'masked';
  return {
    layer,
    head,
    step,
    ...shape,
    weights: isScore ? poolScores(cells, length, rows, columns) : poolWeights(cells, length, rows, columns),
    extent: cells.reduce((largest, cell) => (Number.isNaN(cell) ? largest : Math.max(largest, Math.abs(cell))), 0),
  };
}

/** [T, T] of a step; NaN where the mask took a score out. */
async function stepCells(
  anatomy: Anatomy,
  pass: KeptPass,
  weights: Float32Array,
  layer: number,
  head: number,
  step: HeadStepParams['step'],
): Promise<Float32Array> {
  switch (step) {
    case 'weights':
      return weights;
    case 'weighted': {
      const { values, valueDim } = vectorsOf(await anatomy.layer(pass, layer), head, pass.ids.length);
      const norms = Float32Array.from({ length: pass.ids.length }, (_, key) =>
        norm(values.subarray(key * valueDim, (key + 1) * valueDim)),
      );
      return weights.map((weight, cell) => weight * norms[cell % norms.length]);
    }
    case 'scores':
      return (await anatomy.headScores(pass, layer, head)).scores;
    case 'masked': {
      const { masked } = await anatomy.headScores(pass, layer, head);
      return masked.map((score, cell) => (weights[cell] === 0 && isRuledOut(score) ? Number.NaN : score));
    }
  }
}

/**
 * A window of scores at the resolution of a screen: a cell is the mean over its pairs that are not taken out, and NaN
 * where all are.
 */
function poolScores(scores: Float32Array, length: number, rows: Grouping, columns: Grouping): Float32Array {
  const pooled = new Float32Array(rows.cells * columns.cells);
  for (let row = 0; row < rows.cells; row++) {
    for (let column = 0; column < columns.cells; column++) {
      let sum = 0;
      let count = 0;
      for (let query = rows.starts[row]; query < rows.starts[row + 1]; query++) {
        for (let key = columns.starts[column]; key < columns.starts[column + 1]; key++) {
          const score = scores[query * length + key];
          if (!Number.isNaN(score)) {
            sum += score;
            count++;
          }
        }
      }
      pooled[row * columns.cells + column] = count === 0 ? Number.NaN : sum / count;
    }
  }
  return pooled;
}

/** How one query reads from the keys that matter to it. */
export async function workedRow(
  anatomy: Anatomy,
  pass: KeptPass,
  weights: Float32Array,
  { layer, head, query, key, limit }: WorkedRowParams,
): Promise<WorkedRow> {
  const length = pass.ids.length;
  for (const token of key === null ? [query] : [query, key]) {
    if (!Number.isInteger(token) || token < 0 || token >= length) {
      throw new HeadlightError('argument-invalid', `There is no token ${token}; the passage has ${length}.`);
    }
  }
  const tensors = await anatomy.layer(pass, layer);
  const scores = await anatomy.headScores(pass, layer, head);
  const vectors = vectorsOf(tensors, head, length);
  const row = weights.subarray(query * length, (query + 1) * length);
  const byWeight = Array.from(row.keys()).sort((a, b) => row[b] - row[a] || a - b);
  const chosen = byWeight.filter((other, place) => other === key || (place < limit && row[other] > 0));
  const workOut = (at: number): WorkedKey => {
    const cell = query * length + at;
    const value = vectors.values.slice(at * vectors.valueDim, (at + 1) * vectors.valueDim);
    const masked = scores.masked[cell];
    return {
      key: at,
      product: scores.product[cell],
      score: scores.scores[cell],
      masked: row[at] === 0 && isRuledOut(masked) ? null : masked,
      weight: row[at],
      valueNorm: norm(value),
      keyVector: vectors.keys.slice(at * vectors.headDim, (at + 1) * vectors.headDim),
      valueVector: value,
    };
  };
  const group = anatomy.queryHeadsPerKeyHead;
  return {
    layer,
    head,
    query,
    kvHead: Math.floor(head / group),
    kvHeads: anatomy.keyValueHeads,
    scale: scaleOf(scores),
    queryVector: vectors.queries.slice(query * vectors.headDim, (query + 1) * vectors.headDim),
    keys: chosen.map(workOut),
    otherKeys: query + 1 - chosen.filter((at) => at <= query).length,
    otherWeight: Math.max(0, 1 - chosen.reduce((sum, at) => sum + row[at], 0)),
    mixed: vectors.mixed.slice(query * vectors.valueDim, (query + 1) * vectors.valueDim),
    projection: await projectionOf(anatomy, pass, tensors, layer, head, query),
  };
}

/** How far the heads' additions may be from what the layer adds, as a part of its largest number. */
const TOLERANCE = 1e-3;

async function projectionOf(
  anatomy: Anatomy,
  pass: KeptPass,
  { context, valueDim }: LayerTensors,
  layer: number,
  head: number,
  query: number,
): Promise<WorkedRow['projection']> {
  if (anatomy.plan.parts[layer] === null) {
    return { available: false, reason: 'It was not found in the graph what this layer adds to the stream.' };
  }
  const length = pass.ids.length;
  const { heads } = anatomy.config;
  const rows = await anatomy.headAdditions(pass, layer, query);
  const width = rows.length / (heads + 1);
  const rowOf = (at: number) => rows.slice(at * width, (at + 1) * width);
  const { attention } = await anatomy.additions(pass, layer);
  const total = attention.slice(query * width, (query + 1) * width);
  const largest = total.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const addsUp = total.every((value, at) => {
    let sum = 0;
    for (let row = 0; row <= heads; row++) {
      sum += rows[row * width + at];
    }
    return Math.abs(sum - value) <= TOLERANCE * largest;
  });
  const everyHead = (lengthOf: (head: number) => number) =>
    Float32Array.from({ length: heads }, (_, at) => lengthOf(at));
  return addsUp
    ? {
        available: true,
        mixedNorms: everyHead((at) => {
          const from = (at * length + query) * valueDim;
          return norm(context.subarray(from, from + valueDim));
        }),
        addedNorms: everyHead((at) => norm(rowOf(at))),
        added: rowOf(head),
        total,
      }
    : { available: false, reason: HEADS_NOT_TOLD };
}

function vectorsOf(layer: LayerTensors, head: number, length: number): HeadVectors {
  const { headDim, valueDim, keyHeads, valueHeads } = layer;
  const heads = layer.queries.length / (length * headDim);
  const part = (tensor: Float32Array, ownHeads: number, width: number) => {
    const own = Math.floor((head * ownHeads) / heads);
    return tensor.subarray(own * length * width, (own + 1) * length * width);
  };
  return {
    queries: part(layer.queries, heads, headDim),
    keys: part(layer.keys, keyHeads, headDim),
    headDim,
    values: part(layer.values, valueHeads, valueDim),
    mixed: part(layer.context, heads, valueDim),
    valueDim,
  };
}

/** The one number that makes every score of its product; null where there is none. */
function scaleOf({ product, scores }: HeadScores): number | null {
  const largest = product.reduce((best, value, cell) => (Math.abs(value) > Math.abs(product[best]) ? cell : best), 0);
  const scale = product[largest] === 0 ? Number.NaN : scores[largest] / product[largest];
  const tolerance = 1e-3 * Math.abs(scores[largest]);
  return scores.every((score, cell) => Math.abs(score - scale * product[cell]) <= tolerance) ? scale : null;
}

/** Masks add a large negative number, or put one in the score's place. */
function isRuledOut(score: number): boolean {
  return !(score > -1000);
}

function norm(vector: Float32Array): number {
  return Math.hypot(...vector);
}
