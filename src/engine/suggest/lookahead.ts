import type { Cancellation } from '../inspect/cancellation';
import type { ReadAhead, RememberingModel, Turn } from './remembering-model';

/** Tokens that are read along with one: so few take a model hardly longer, and a third is seldom right. */
const LONGEST_GUESS = 2;
/** So many last tokens at most are looked for where they stood before. */
const LONGEST_MATCH = 3;
/** Texts that were written last, by their tokens. */
const REMEMBERED = 8;

/**
 * Guesses how a text goes on by where its last tokens stood before, in what was suggested last or in the text itself, and
 * reads the guess in the same run as the text. Where the guess turns out to be what the model writes, the predictions
 * behind it are there already; where not, nothing but the run's length is lost. No prediction depends on a guess.
 *
 * Known as speculative decoding (Leviathan et al. 2023) with drafts looked up in the prompt.
 */
export class Lookahead {
  /** Newest last. */
  private written: (readonly number[])[] = [];
  /** The text that was asked for last, and the guess. */
  private ids: readonly number[] = [];
  private ahead: readonly ReadAhead[] = [];

  constructor(
    private readonly model: RememberingModel,
    private readonly contextLength: number,
  ) {}

  /** What was written will be looked at first. */
  remember(ids: readonly number[]): void {
    this.written = [...this.written.slice(1 - REMEMBERED), ids];
  }

  /**
   * [V]: what the model predicts behind a text.
   *
   * @throws HeadlightError `cancelled`
   */
  async behind(ids: readonly number[], turn: Turn, cancellation: Cancellation): Promise<Float32Array> {
    const known = this.ahead[ids.length - 1 - (this.ids.length - this.ahead.length)];
    if (known !== undefined && ids.every((id, index) => id === this.ids[index])) {
      this.model.remember(ids, known);
      return known.prediction;
    }
    const guess = guessBehind(ids, this.written).slice(0, this.contextLength - ids.length);
    const { predictions, ahead } = await this.model.predict(ids, ids.length - 1, turn, cancellation, guess);
    this.ids = [...ids, ...guess.slice(0, ahead.length)];
    this.ahead = ahead;
    return predictions[0];
  }
}

/**
 * The tokens that followed where the last ones of a text stood before, as many of those as were found together; none where
 * even the last one is new.
 *
 * @param others texts to look in first, the last of them before the others
 */
export function guessBehind(ids: readonly number[], others: readonly (readonly number[])[]): readonly number[] {
  for (let length = Math.min(LONGEST_MATCH, ids.length); length > 0; length--) {
    const last = ids.slice(-length);
    for (const text of [ids, ...others].toReversed()) {
      // Something has to follow.
      for (let at = text.length - length - 1; at >= 0; at--) {
        if (last.every((id, index) => id === text[at + index])) {
          return text.slice(at + length, at + length + LONGEST_GUESS);
        }
      }
    }
  }
  return [];
}
