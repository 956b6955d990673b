/** The axis of the candidates' bars. */
export interface BarScale {
  /** Probability at the right end. */
  readonly top: number;
  readonly ticks: readonly number[];
}

/** Steps of a twentieth, never below a fifth: small changes of the largest probability do not rescale all bars. */
export function barScale(largest: number): BarScale {
  const top = Math.min(1, Math.max(0.2, Math.ceil(largest * 20 + 0.4) / 20));
  const step = top <= 0.6 ? 0.1 : 0.2;
  const ticks: number[] = [];
  for (let k = 0; k * step < top - 0.02; k++) {
    ticks.push(k * step);
  }
  return { top, ticks };
}
