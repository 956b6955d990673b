import { type Cancellation, pauseUnlessCancelled } from '../inspect/cancellation';
import type { Decoder } from '../runtime/decoder';
import type { Decoding, TokenState } from '../runtime/decoding';
import type { PrefixTree } from './prefix-tree';

/** Lets work that takes the model wait for what else is done with it. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/** A run cannot be interrupted: a long text is read in pieces, and what was read of it is not lost with a cancellation. */
const LONGEST_READ = 128;

/** A token that was read on a guess. Remembered only once it has turned out right. */
export interface ReadAhead {
  /** [V]: what the model predicts behind it. */
  readonly prediction: Float32Array;
  readonly state: TokenState;
}

/** What a model predicts, and what it took. */
export interface Predictions {
  /** [V] each. */
  readonly predictions: readonly Float32Array[];
  /** One for each token of the guess; none where it was not read, everything asked for being remembered. */
  readonly ahead: readonly ReadAhead[];
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
   * @param guess tokens to read ahead in the same run; together no more than the model's context
   * @throws HeadlightError `cancelled`
   */
  predict(
    ids: readonly number[],
    from: number,
    turn: Turn,
    cancellation?: Cancellation,
    guess: readonly number[] = [],
  ): Promise<Predictions> {
    const result = this.busy.then(() => this.predictAlone(ids, from, turn, cancellation, guess));
    this.busy = result.catch(() => undefined);
    return result;
  }

  /** A guess was right: remembers the last token of a text, which was read ahead. */
  remember(ids: readonly number[], { prediction, state }: ReadAhead): void {
    this.tree.add(ids, ids.length - 1, [state]);
    this.tree.rememberLogits(ids, prediction);
  }

  private async predictAlone(
    ids: readonly number[],
    from: number,
    turn: Turn,
    cancellation: Cancellation | undefined,
    guess: readonly number[],
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
      return { predictions, ahead: [], read: 0 };
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
    // A graph that has not shown that it reads a text in parts as it does in one might predict other things with a guess.
    const all = keepsNothing ? ids : [...ids, ...guess];
    const piece = keepsNothing ? all.length : LONGEST_READ;
    const ahead: ReadAhead[] = [];
    for (let at = start; at < all.length; at += piece) {
      await pauseUnlessCancelled(cancellation);
      const end = Math.min(at + piece, all.length);
      const wanted = Math.max(0, end - Math.max(missing, at));
      const step = await turn(() => decoding.read(all.slice(at, end), Math.max(1, wanted)));
      this.readTokens += keepsNothing ? end : end - at;
      const states = step.states();
      this.tree.add(ids, at, states.slice(0, Math.max(0, ids.length - at)));
      for (const [row, prediction] of wanted > 0 ? step.logits.entries() : []) {
        const length = end - wanted + row + 1;
        if (length > ids.length) {
          ahead.push({ prediction, state: states[length - 1 - at] });
        } else {
          predictions.push(prediction);
          this.tree.rememberLogits(ids.slice(0, length), prediction);
        }
      }
    }
    return { predictions, ahead, read: this.readTokens - readBefore };
  }
}
