/** One key token that a query attends to. */
export interface KeyWeight {
  readonly key: number;
  readonly weight: number;
}

/** Weaker keys are not worth a line in the list. */
const WEAKEST = 0.005;

/**
 * The keys that a query attends to most, strongest first; of equal weights the nearer one.
 * @param weights One row of a head's matrix: the weight on every token of the passage.
 */
export function strongestKeys(weights: Float32Array, limit: number, skipFirst: boolean): KeyWeight[] {
  const keys: KeyWeight[] = [];
  for (let key = skipFirst ? 1 : 0; key < weights.length; key++) {
    if (weights[key] >= WEAKEST) {
      keys.push({ key, weight: weights[key] });
    }
  }
  keys.sort((one, other) => other.weight - one.weight || other.key - one.key);
  return keys.slice(0, limit);
}
