import { type Cancellation, pauseUnlessCancelled } from '../inspect/cancellation';
import type { Decoding } from '../runtime/decoding';
import type { PrefixTree } from './prefix-tree';

/** Lets work that takes the model wait for what else is done with it. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/** A run cannot be interrupted: a long text is read in pieces, and what was read of it is not lost with a cancellation. */
const LONGEST_READ = 128;

/** Reads a text from where it differs from those that were read before. */
export class RememberingModel {
  /** Tokens that were read by the model so far. */
  readTokens = 0;

  constructor(
    private readonly decoding: Decoding,
    private readonly tree: PrefixTree,
  ) {}

  /**
   * What the model predicts behind each of the last tokens of a text.
   *
   * @param ids [T], no more than the model's context
   * @param from the first token behind which a prediction is wanted
   * @returns [T − from] times [V]
   * @throws HeadlightError `cancelled`
   */
  async predict(
    ids: readonly number[],
    from: number,
    turn: Turn,
    cancellation?: Cancellation,
  ): Promise<readonly Float32Array[]> {
    const nodes = this.tree.find(ids);
    const predictions: Float32Array[] = [];
    while (nodes[from + predictions.length]?.logits) {
      predictions.push(nodes[from + predictions.length].logits!);
    }
    const missing = from + predictions.length;
    if (missing === ids.length) {
      return predictions;
    }
    const { decoding } = this;
    const shared = decoding.sharedWith(ids);
    const start = Math.min(missing, Math.max(shared, nodes.length));
    decoding.truncate(Math.min(shared, start));
    if (start > shared) {
      decoding.restore(
        ids.slice(shared, start),
        nodes.slice(shared, start).map(({ state }) => state),
      );
    }
    const piece = decoding.kind === 'none' ? ids.length : LONGEST_READ;
    for (let at = start; at < ids.length; at += piece) {
      await pauseUnlessCancelled(cancellation);
      const end = Math.min(at + piece, ids.length);
      const wanted = Math.max(0, end - Math.max(missing, at));
      const { logits, states } = await turn(() => decoding.read(ids.slice(at, end), Math.max(1, wanted)));
      this.readTokens += end - at;
      this.tree.add(ids, at, states);
      if (wanted > 0) {
        predictions.push(...logits);
        for (const [row, prediction] of logits.entries()) {
          this.tree.rememberLogits(ids.slice(0, end - logits.length + row + 1), prediction);
        }
      }
    }
    return predictions;
  }
}
