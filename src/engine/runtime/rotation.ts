import type { Turn } from '../onnx/rotation';
import type { Anatomy, KeptPass } from './anatomy';
import { floatData } from './tensors';

/** How the queries and keys of a layer are turned by their positions. */
export interface Turning {
  /** Which two numbers of a vector are turned together: i and i + half of those that are turned, or 2i and 2i + 1. */
  readonly pairing: 'halves' | 'neighbours';
  /** Pairs of numbers that are turned; what is behind them stays. */
  readonly pairs: number;
  /** [T, pairs], in radians from −π to π. */
  readonly angles: Float32Array;
  /** [pairs]: by how much a token further turns them, in radians. */
  readonly frequencies: Float32Array;
  /** What a vector's turned part is longer by afterwards; 1 in most models. */
  readonly stretch: number;
  /** [H, T, d] each. */
  readonly queriesBefore: Float32Array;
  readonly queriesAfter: Float32Array;
  /** [kvHeads, T, d] each. */
  readonly keysBefore: Float32Array;
  readonly keysAfter: Float32Array;
  readonly headDim: number;
}

/** What is less than this is rounding. */
const NOTHING = 1e-5;

/**
 * How a layer turns its queries and keys. The angles are found by trying: pairs (1, 0) are turned instead of the queries, by
 * the model's own nodes, and come out as (cos, sin). So it holds for every way to write a rotation down.
 *
 * @returns null where the layer turns nothing, or what was found is no rotation
 */
export async function turningOf(anatomy: Anatomy, pass: KeptPass, layer: number): Promise<Turning | null> {
  const rotation = anatomy.plan.rotations[layer] ?? null;
  const before = anatomy.plan.parts[layer]?.before;
  if (rotation === null || before === undefined) {
    return null;
  }
  const { queries, keys } = rotation;
  const { heads, kvHeads } = anatomy.config;
  const length = pass.ids.length;
  const names = [queries.before, queries.after, keys.before, keys.after];
  const given = new Map([[before, pass.stream[layer]]]);
  const vectors = await anatomy.part(pass, `vectors ${layer}`, given, names);
  // A second position shows which way the first number of a pair goes.
  const ids = length > 1 ? pass.ids : Uint32Array.of(pass.ids[0], pass.ids[0]);
  const shape = layoutOf(vectors[queries.before].dims, heads, length, queries.tokensFirst);
  const keyShape = layoutOf(vectors[keys.before].dims, kvHeads, length, keys.tokensFirst);
  if (shape === null || keyShape === null) {
    return null;
  }
  const { headDim } = shape;
  const turned = async (isSet: (at: number) => boolean): Promise<Float32Array> => {
    const pattern = Float32Array.from({ length: ids.length * heads * headDim }, (_, at) =>
      isSet(at % headDim) ? 1 : 0,
    );
    const { type } = vectors[queries.before];
    const dims = shape.dimsFor(ids.length);
    const from = new Map([[queries.before, anatomy.tensor(type, pattern, dims)]]);
    const result = await anatomy.part({ ids }, `turn ${layer}`, from, [queries.after]);
    return byHead(floatData(result[queries.after]), heads, headDim, queries.tokensFirst);
  };
  const unit = (await turned((at) => at === 0)).subarray(headDim, 2 * headDim);
  const partner = unit.findIndex((value, at) => at > 0 && Math.abs(value) > NOTHING);
  if (partner < 1) {
    return null;
  }
  const pairing = partner === 1 && headDim > 2 ? 'neighbours' : 'halves';
  const isFirst = (at: number) => (pairing === 'halves' ? at < partner : at % 2 === 0);
  const circle = await turned(isFirst);
  const place = (pair: number): readonly [number, number] =>
    pairing === 'halves' ? [pair, pair + partner] : [2 * pair, 2 * pair + 1];
  const at = (token: number, index: number) => circle[token * headDim + index];
  let pairs = partner;
  if (pairing === 'neighbours') {
    pairs = headDim / 2;
    while (pairs > 0 && Math.abs(at(1, 2 * pairs - 1)) <= 1e-9) {
      pairs--;
    }
  }
  const angle = (token: number, pair: number) => {
    const [x, y] = place(pair);
    return Math.atan2(at(token, y), at(token, x));
  };
  const angles = Float32Array.from({ length: length * pairs }, (_, cell) =>
    angle(Math.floor(cell / pairs), cell % pairs),
  );
  const part = (turn: Turn, which: 'before' | 'after', count: number) =>
    byHead(floatData(vectors[turn[which]]), count, headDim, turn.tokensFirst);
  return {
    pairing,
    pairs,
    angles,
    frequencies: Float32Array.from({ length: pairs }, (_, pair) => angle(1, pair) - angle(0, pair)),
    stretch: Math.hypot(at(0, place(0)[0]), at(0, place(0)[1])),
    queriesBefore: part(queries, 'before', heads),
    queriesAfter: part(queries, 'after', heads),
    keysBefore: part(keys, 'before', kvHeads),
    keysAfter: part(keys, 'after', kvHeads),
    headDim,
  };
}

interface Layout {
  readonly headDim: number;
  readonly dimsFor: (length: number) => readonly number[];
}

/** Vectors of heads as graphs hold them: [1, H, T, d], [1, T, H, d], [H, T, d] or [1, T, H·d]. */
function layoutOf(dims: readonly number[], heads: number, length: number, tokensFirst: boolean): Layout | null {
  const width = dims.at(-1)!;
  const isFlat = dims.length === 3 && tokensFirst;
  if (dims.reduce((product, dim) => product * dim, 1) !== length * width * (isFlat ? 1 : heads)) {
    return null;
  }
  if (dims.length === 4) {
    return {
      headDim: width,
      dimsFor: (tokens) => (tokensFirst ? [1, tokens, heads, width] : [1, heads, tokens, width]),
    };
  }
  return isFlat
    ? { headDim: width / heads, dimsFor: (tokens) => [1, tokens, width] }
    : { headDim: width, dimsFor: (tokens) => [heads, tokens, width] };
}

/** [H, T, d] */
function byHead(values: Float32Array, heads: number, headDim: number, tokensFirst: boolean): Float32Array {
  const length = values.length / (heads * headDim);
  if (!tokensFirst) {
    return values;
  }
  return Float32Array.from(values, (_, at) => {
    const head = Math.floor(at / (length * headDim));
    const token = Math.floor(at / headDim) % length;
    return values[(token * heads + head) * headDim + (at % headDim)];
  });
}
