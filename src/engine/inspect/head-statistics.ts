import type { HeadStatistics } from '../../protocol/trace';
import { sumOfEntropies } from './row-entropy';

/**
 * For each position of a passage the nearest position before it that holds the same token, or −1. Following the links
 * gives every earlier occurrence.
 */
export function earlierOccurrences(ids: ArrayLike<number>): Int32Array {
  const latest = new Map<number, number>();
  return Int32Array.from(ids, (id, position) => {
    const before = latest.get(id) ?? -1;
    latest.set(id, position);
    return before;
  });
}

/**
 * How one head behaves on a passage.
 *
 * Induction and duplicate-token scores follow Olsson et al., "In-context Learning and Induction Heads" (2022): the
 * weight on the tokens after, and on, the earlier occurrences of the query's own token.
 *
 * @param weights [T, T] after the softmax
 * @param earlier of `earlierOccurrences`, for the same T tokens
 */
export function headStatistics(weights: Float32Array, earlier: Int32Array): HeadStatistics {
  const length = earlier.length;
  let previous = 0;
  let first = 0;
  let induction = 0;
  let duplicate = 0;
  let repeated = 0;
  for (let query = 0; query < length; query++) {
    const row = query * length;
    if (query > 0) {
      previous += weights[row + query - 1];
      first += weights[row];
    }
    if (earlier[query] >= 0) {
      repeated++;
    }
    for (let position = earlier[query]; position >= 0; position = earlier[position]) {
      duplicate += weights[row + position];
      // In "a a" the token after the first "a" is the query itself, and looking at oneself is not induction.
      if (position + 1 < query) {
        induction += weights[row + position + 1];
      }
    }
  }
  const later = Math.max(1, length - 1);
  return {
    previous: previous / later,
    first: first / later,
    induction: repeated > 0 ? induction / repeated : Number.NaN,
    duplicate: repeated > 0 ? duplicate / repeated : Number.NaN,
    entropy: sumOfEntropies(weights) / length,
  };
}
