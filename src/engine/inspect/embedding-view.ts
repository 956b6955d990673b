import type { Tensor } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import type { EmbeddingParams, EmbeddingStep, EmbeddingView, RotaryPosition } from '../../protocol/stages';
import type { Embedding, EmbeddingStep as GraphStep } from '../onnx/embedding';
import type { Anatomy, HeadScores, KeptPass } from '../runtime/anatomy';
import { type Turning, turningOf } from '../runtime/rotation';
import { floatData } from '../runtime/tensors';

/** How far numbers may be from what they should be, as a part of the largest. */
const TOLERANCE = 1e-3;
/** Below every score that has any weight. */
const RULED_OUT = -1000;

/** How a token and its place become the first residual stream, and what a layer does with its place. */
export async function embeddingView(
  anatomy: Anatomy,
  pass: KeptPass,
  { token, layer, head }: EmbeddingParams,
): Promise<EmbeddingView> {
  const embedding = embeddingOf(anatomy, pass, token);
  const length = pass.ids.length;
  const { layers, heads } = anatomy.config;
  for (const [what, index, count] of [['layer', layer, layers] as const, ['head', head, heads] as const]) {
    if (!Number.isInteger(index) || index < 0 || index >= count) {
      throw new HeadlightError('argument-invalid', `There is no ${what} ${index}; the model has ${count}.`);
    }
  }
  const steps = await stepsOf(anatomy, pass, embedding, token);
  const turning = await turningOf(anatomy, pass, layer);
  const isOpen = anatomy.plan.sites[layer] !== null;
  const slope = isOpen ? alibiSlope(await anatomy.headScores(pass, layer, head), length) : null;
  const hasPositions = steps.some(({ kind }) => kind === 'position') || turning !== null || slope !== null;
  return {
    token,
    layer,
    head,
    steps,
    rotary: turning === null ? null : rotaryPosition(turning, anatomy, head, token, length),
    alibiSlope: slope,
    missing: hasPositions
      ? null
      : isOpen
        ? `Nothing was found that tells layer ${layer} where a token stands: nothing is added to the embeddings, no queries and keys are turned, and no scores grow evenly with the distance${length === 1 ? ' (one token alone has none)' : ''}.`
        : `The attention of layer ${layer} is one operator, so that what it does with positions cannot be seen; nothing is added to the embeddings.`,
  };
}

/**
 * Where the passage's tokens are looked up.
 *
 * @throws HeadlightError `argument-invalid` for a token that the passage has not, `graph-unsupported`
 */
export function embeddingOf({ plan: { embedding } }: Anatomy, { ids }: KeptPass, token: number): Embedding {
  if (!Number.isInteger(token) || token < 0 || token >= ids.length) {
    throw new HeadlightError('argument-invalid', `There is no token ${token}; the passage has ${ids.length}.`);
  }
  if (embedding === null) {
    throw new HeadlightError(
      'graph-unsupported',
      'The way from the tokens to the first layer does not begin with one look-up in a table of weights in this graph.',
    );
  }
  return embedding;
}

/** The way of one token from its row of the table to the stream. */
async function stepsOf(
  anatomy: Anatomy,
  pass: KeptPass,
  { rows, steps }: Embedding,
  token: number,
): Promise<readonly EmbeddingStep[]> {
  const length = pass.ids.length;
  const wanted = new Set([
    rows,
    ...steps.flatMap(({ result, added, index }) => [result, ...(added ? [added] : []), ...(index ? [index] : [])]),
  ]);
  const run = await anatomy.part(pass, 'embedding steps', new Map(), [...wanted]);
  const vector = (name: string) => rowOf(run[name], token, length);
  let before = vector(rows);
  const shown: EmbeddingStep[] = [{ kind: 'token', vector: before }];
  for (const step of steps) {
    const after = vector(step.result);
    shown.push(...describe(step, before, after, run, token, length));
    before = after;
  }
  return shown;
}

function describe(
  { kind, added, index, sinusoidal, operators }: GraphStep,
  before: Float32Array,
  after: Float32Array,
  run: Readonly<Record<string, Tensor>>,
  token: number,
  length: number,
): readonly EmbeddingStep[] {
  switch (kind) {
    case 'norm':
    case 'projection':
      return [{ kind, vector: after }];
    case 'scale': {
      const largest = before.reduce((best, value, at) => (Math.abs(value) > Math.abs(before[best]) ? at : best), 0);
      const factor = after[largest] / before[largest];
      const isOne = after.every(
        (value, at) => Math.abs(value - factor * before[at]) <= TOLERANCE * Math.abs(after[largest]),
      );
      return [isOne ? { kind, factor, vector: after } : { kind: 'other', operators, vector: after }];
    }
    case 'position': {
      const position = rowOf(run[added!], token, length);
      const row = index === null ? null : Number(entryOf(run[index], token, length));
      const form = sinusoidal || isOnCircle(position) ? 'sinusoidal' : row === null ? 'computed' : 'learned';
      return [
        { kind, form, row, vector: position },
        { kind: 'sum', vector: after },
      ];
    }
    case 'other':
      return [{ kind, operators, vector: after }];
  }
}

/** [D] of one token; what is the same for every token may stand there once. */
function rowOf(tensor: Tensor, token: number, length: number): Float32Array {
  const values = floatData(tensor);
  const width = tensor.dims.at(-1)!;
  const row = values.length === width * length ? token : 0;
  return values.slice(row * width, (row + 1) * width);
}

function entryOf({ data }: Tensor, token: number, length: number): number | bigint {
  const entries = data as BigInt64Array;
  return entries[entries.length === length ? token : 0];
}

/** Whether the numbers are sines and cosines of the same angles: neighbours, or those of the two halves, lie on a circle. */
function isOnCircle(vector: Float32Array): boolean {
  const half = vector.length / 2;
  const radius = Math.hypot(...vector) ** 2 / half;
  const isRound = (pairOf: (at: number) => readonly [number, number]) =>
    Number.isInteger(half) &&
    Array.from({ length: half }, (_, at) => pairOf(at)).every(
      ([sine, cosine]) => Math.abs(vector[sine] ** 2 + vector[cosine] ** 2 - radius) <= TOLERANCE * radius,
    );
  return radius > 0 && (isRound((at) => [2 * at, 2 * at + 1]) || isRound((at) => [at, at + half]));
}

function rotaryPosition(
  turning: Turning,
  anatomy: Anatomy,
  head: number,
  token: number,
  length: number,
): RotaryPosition {
  const { pairing, pairs, angles, frequencies, stretch, headDim } = turning;
  const keyHead = Math.floor(head / anatomy.queryHeadsPerKeyHead);
  const part = (vectors: Float32Array, own: number) => {
    const from = (own * length + token) * headDim;
    return vectors.slice(from, from + headDim);
  };
  return {
    pairing,
    angles: angles.slice(token * pairs, (token + 1) * pairs),
    frequencies,
    stretch,
    queryBefore: part(turning.queriesBefore, head),
    queryAfter: part(turning.queriesAfter, head),
    keyBefore: part(turning.keysBefore, keyHead),
    keyAfter: part(turning.keysAfter, keyHead),
  };
}

/**
 * The slope of what is added to the scores, as the softmax reads it: the same from each key to the next. Null where nothing
 * like it is added.
 */
function alibiSlope({ steps }: HeadScores, length: number): number | null {
  for (let at = 1; at < steps.length; at++) {
    if (steps[at].operator !== 'Add') {
      continue;
    }
    const [before, after] = [steps[at - 1].scores, steps[at].scores];
    const slope = evenSlope((cell) => after[cell] - before[cell], length);
    if (slope !== null) {
      return slope * scaleBetween(after, steps.at(-1)!.scores, length);
    }
  }
  return null;
}

/** By how much values grow from each key to the next, where it is everywhere the same, and not nothing. */
function evenSlope(at: (cell: number) => number, length: number): number | null {
  if (length < 2) {
    return null;
  }
  const last = (length - 1) * length;
  const slope = (at(last + length - 1) - at(last)) / (length - 1);
  const tolerance = TOLERANCE * Math.abs(slope) * length;
  if (!(Math.abs(slope) > 0) || Math.abs(slope) > -RULED_OUT) {
    return null;
  }
  for (let query = 1; query < length; query++) {
    const row = query * length;
    const start = at(row);
    for (let key = 1; key <= query; key++) {
      if (!(Math.abs(at(row + key) - start - slope * key) <= tolerance)) {
        return null;
      }
    }
  }
  return slope;
}

/** What scores are multiplied by on their way into the softmax; 1 where they are only masked. */
function scaleBetween(scores: Float32Array, masked: Float32Array, length: number): number {
  let largest = 0;
  for (let query = 0; query < length; query++) {
    for (let cell = query * length; cell <= query * length + query; cell++) {
      if (masked[cell] > RULED_OUT && Math.abs(scores[cell]) > Math.abs(scores[largest])) {
        largest = cell;
      }
    }
  }
  return scores[largest] === 0 ? 1 : masked[largest] / scores[largest];
}
