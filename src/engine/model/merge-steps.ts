import type { Vocabulary } from './vocabulary';

/** How far the merging of a piece has come. */
export interface MergeStep {
  /** Where each part starts, in bytes; the first is 0. */
  readonly starts: readonly number[];
  /** The part that the newest merge made; null before the first. */
  readonly merged: number | null;
  /** Its rank, which is its id: lower ranks merge first. */
  readonly rank: number | null;
}

/**
 * Byte-pair merging as it is defined (Sennrich et al. 2016), step by step: of all neighbouring parts, the two whose
 * concatenation has the lowest rank become one, the leftmost of equals first, until none can.
 *
 * @param piece of at most a few dozen bytes: every step looks at every pair
 */
export function mergeSteps(piece: Uint8Array, vocabulary: Vocabulary): readonly MergeStep[] {
  let starts = Array.from(piece.keys());
  const steps: MergeStep[] = [{ starts, merged: null, rank: null }];
  for (;;) {
    let best = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let part = 0; part + 1 < starts.length; part++) {
      const rank = vocabulary.find(piece, starts[part], starts[part + 2] ?? piece.length);
      if (rank >= 0 && rank < lowest) {
        [best, lowest] = [part, rank];
      }
    }
    if (best < 0) {
      return steps;
    }
    starts = starts.toSpliced(best + 1, 1);
    steps.push({ starts, merged: best, rank: lowest });
  }
}
