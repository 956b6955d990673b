import { HeadlightError } from '../../protocol/errors';
import type { Anatomy, KeptPass } from '../runtime/anatomy';

/**
 * The final norm at one position as the linear map that it is once its divisor is known:
 * norm(x) = γ ⊙ (x − mean x) / σ + β for a LayerNorm (Ba et al. 2016), without the mean for an RMSNorm
 * (Zhang & Sennrich 2019).
 */
export interface LinearNorm {
  /** [D]: β */
  readonly bias: Float64Array;
  /** What becomes of a part of the stream, [D] → [D]: γ ⊙ (c − mean c) / σ, without β. */
  apply(part: ArrayLike<number>): Float32Array;
}

/** How far the map may be from the norm itself, as a part of the largest number. */
const TOLERANCE = 1e-3;

/**
 * Takes the norm apart by trying it: on a pattern, on its negative and on a constant. So it holds for every way to write a
 * norm down, whatever operators it is made of.
 *
 * @param stream [D], at the position
 * @param normed [D], what the norm makes of it
 * @throws HeadlightError `graph-unsupported` where the norm is neither of the two
 */
export async function linearizeNorm(
  anatomy: Anatomy,
  pass: KeptPass,
  stream: Float32Array,
  normed: Float32Array,
): Promise<LinearNorm> {
  const width = stream.length;
  const pattern = Float64Array.from({ length: width }, (_, at) => (at % 2 === 0 ? 1 : -1));
  const tries = new Float32Array(3 * width);
  tries.set(pattern);
  tries.set(
    pattern.map((value) => -value),
    width,
  );
  tries.fill(1, 2 * width);
  const tried = await anatomy.norm(pass, tries);
  const [plus, minus, constant] = [0, 1, 2].map((row) => tried.subarray(row * width, (row + 1) * width));
  const bias = Float64Array.from(plus, (value, at) => (value + minus[at]) / 2);
  const half = Float64Array.from(plus, (value, at) => (value - minus[at]) / 2);
  // A LayerNorm leaves nothing of a constant.
  const centres = largest(constant.map((value, at) => value - bias[at])) <= TOLERANCE * largest(half);
  const centred = (values: ArrayLike<number>) => {
    const mean = centres ? sum(values) / width : 0;
    return Float64Array.from(values, (value) => value - mean);
  };
  const centredPattern = centred(pattern);
  const gain = half.map((value, at) => value / centredPattern[at]);
  const scaled = centred(stream).map((value, at) => value * gain[at]);
  const withoutBias = Float64Array.from(normed, (value, at) => value - bias[at]);
  const factor = dot(withoutBias, scaled) / dot(scaled, scaled);
  if (!(largest(withoutBias.map((value, at) => value - factor * scaled[at])) <= TOLERANCE * largest(withoutBias))) {
    throw new HeadlightError(
      'graph-unsupported',
      'The final norm of this model is neither a LayerNorm nor an RMSNorm, so that what each part adds cannot be told apart.',
    );
  }
  return {
    bias,
    apply: (part) => Float32Array.from(centred(part), (value, at) => value * gain[at] * factor),
  };
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let at = 0; at < values.length; at++) {
    total += values[at];
  }
  return total;
}

function dot(one: Float64Array, other: Float64Array): number {
  return one.reduce((total, value, at) => total + value * other[at], 0);
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let at = 0; at < values.length; at++) {
    most = Math.max(most, Math.abs(values[at]));
  }
  return most;
}
