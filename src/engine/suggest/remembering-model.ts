import { type Cancellation, pauseUnlessCancelled } from '../inspect/cancellation';
import type { Decoder } from '../runtime/decoder';
import type { Decoding } from '../runtime/decoding';
import type { PrefixTree } from './prefix-tree';

/** Lets work that takes the model wait for what else is done with it. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/** A run cannot be interrupted: a long text is read in pieces, and what was read of it is not lost with a cancellation. */
const LONGEST_READ = 128;

/** What a model predicts, and what it took. */
export interface Predictions {
  /** [V] each. */
  readonly predictions: readonly Float32Array[];
  /** Tokens that were read for them, the others being remembered. */
  readonly read: number;
}

/** Reads a text from where it differs from those that were read before. Serves several callers, one after the other. */
export class RememberingModel {
  /** Tokens that were read by the model so far. */
  readTokens = 0;
  private decoding: Decoding | null = null;
  /** The cache is laid out for one text at a time. */
  private busy: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly decoder: Pick<Decoder, 'decoding'>,
    readonly tree: PrefixTree,
  ) {}

  /** Bytes of one token's keys and values; 0 where the graph takes none, and before the first prediction. */
  get bytesPerToken(): number {
    return this.decoding?.bytesPerToken ?? 0;
  }

  /**
   * What the model predicts behind each of the last tokens of a text.
   *
   * @param ids [T], no more than the model's context
   * @param from the first token behind which a prediction is wanted; T − from of them come back
   * @param turn lets each run wait for other work with the model
   * @throws HeadlightError `cancelled`
   */
  predict(ids: readonly number[], from: number, turn: Turn, cancellation?: Cancellation): Promise<Predictions> {
    const result = this.busy.then(() => this.predictAlone(ids, from, turn, cancellation));
    this.busy = result.catch(() => undefined);
    return result;
  }

  private async predictAlone(
    ids: readonly number[],
    from: number,
    turn: Turn,
    cancellation: Cancellation | undefined,
  ): Promise<Predictions> {
    this.decoding ??= await turn(() => this.decoder.decoding());
    const { decoding } = this;
    const readBefore = this.readTokens;
    const nodes = this.tree.find(ids);
    const predictions: Float32Array[] = [];
    while (nodes[from + predictions.length]?.logits) {
      predictions.push(nodes[from + predictions.length].logits!);
    }
    const missing = from + predictions.length;
    if (missing === ids.length) {
      return { predictions, read: 0 };
    }
    const shared = decoding.sharedWith(ids);
    const start = Math.min(missing, Math.max(shared, nodes.length));
    decoding.truncate(Math.min(shared, start));
    if (start > shared) {
      decoding.restore(
        ids.slice(shared, start),
        nodes.slice(shared, start).map(({ state }) => state),
      );
    }
    const keepsNothing = decoding.kind === 'none';
    const piece = keepsNothing ? ids.length : LONGEST_READ;
    for (let at = start; at < ids.length; at += piece) {
      await pauseUnlessCancelled(cancellation);
      const end = Math.min(at + piece, ids.length);
      const wanted = Math.max(0, end - Math.max(missing, at));
      const { logits, states } = await turn(() => decoding.read(ids.slice(at, end), Math.max(1, wanted)));
      this.readTokens += keepsNothing ? end : end - at;
      this.tree.add(ids, at, states());
      if (wanted > 0) {
        predictions.push(...logits);
        for (const [row, prediction] of logits.entries()) {
          this.tree.rememberLogits(ids.slice(0, end - logits.length + row + 1), prediction);
        }
      }
    }
    return { predictions, read: this.readTokens - readBefore };
  }
}
