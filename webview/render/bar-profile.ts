/** Bars over the tokens of a passage: one a token, or one for several where they would be thinner than can be seen. */
export interface BarProfile {
  /** Tokens a bar. */
  readonly group: number;
  /** Highest value of each bar's tokens; null where none has a value. */
  readonly values: readonly (number | null)[];
}

/** Pixels that a bar takes at least, its gap included. */
const NARROWEST_BAR = 2;

/** Bars that fit into a width in CSS pixels. */
export function groupBars(values: readonly (number | null)[], width: number): BarProfile {
  const group = Math.max(1, Math.ceil((values.length * NARROWEST_BAR) / Math.max(1, width)));
  const bars: (number | null)[] = [];
  for (let from = 0; from < values.length; from += group) {
    let highest: number | null = null;
    for (const value of values.slice(from, from + group)) {
      if (value !== null && (highest === null || value > highest)) {
        highest = value;
      }
    }
    bars.push(highest);
  }
  return { group, values: bars };
}

/** A round number at or above the largest value, and ticks from 0 to it. */
export function axisFor(largest: number): { top: number; ticks: readonly number[] } {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((candidate) => largest / candidate <= 4) ?? 5000;
  const count = Math.max(1, Math.ceil(largest / step));
  return { top: count * step, ticks: Array.from({ length: count + 1 }, (_, k) => k * step) };
}
