import { HeadlightError } from '../../protocol/errors';
import type { NamedToken } from '../../protocol/stages';
import type { TrainingRow, TrainingWindow } from '../../protocol/training';
import type { Tokenizer } from '../model/tokenizer';
import type { Decoder } from '../runtime/decoder';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** Rows that are handed out of a text; more would not be read, and the sums are over all. */
const MOST_ROWS = 2048;

export interface TrainingText {
  readonly decoder: Pick<Decoder, 'score'>;
  readonly tokenizer: Pick<Tokenizer, 'textOf' | 'bytesOf'>;
  /** [N], all tokens of the text. */
  readonly ids: Uint32Array;
  /** [N]: the loss of each token in nats where one run has scored them all; the first has none. */
  readonly known: readonly number[] | null;
  readonly contextLength: number;
}

/**
 * One window of a text as a model is trained on it: each token is to be foretold from those before it, at the loss −ln p. A
 * text that is longer than the context is read in windows, each `stride` tokens ahead of the one before, the last one as
 * far as the text goes: of every window only those tokens count that none before it has scored, so that each token is
 * scored once, with the longest context that a window gives it.
 *
 * @param window from 0
 * @throws HeadlightError `argument-invalid` for a stride that leaves tokens out, or a window that the text has not;
 * `cancelled`
 */
export async function trainingWindow(
  { decoder, tokenizer, ids, known, contextLength }: TrainingText,
  stride: number,
  window: number,
  cancellation?: Cancellation,
): Promise<TrainingWindow> {
  if (!Number.isInteger(stride) || stride < 1 || stride >= contextLength) {
    throw new HeadlightError(
      'argument-invalid',
      `A stride of ${stride} leaves tokens out; give a whole number from 1 to ${contextLength - 1}, below the context's length.`,
    );
  }
  const beyond = Math.max(0, ids.length - contextLength);
  const windows = 1 + Math.ceil(beyond / stride);
  if (!Number.isInteger(window) || window < 0 || window >= windows) {
    throw new HeadlightError('argument-invalid', `There is no window ${window}; the text has ${windows}.`);
  }
  const from = Math.min(window * stride, beyond);
  const to = Math.min(ids.length, from + contextLength);
  const first = window === 0 ? 1 : (window - 1) * stride + contextLength;
  await pauseUnlessCancelled(cancellation);
  const losses =
    known === null ? await lossesOf(decoder, ids.subarray(from, to), first - from) : known.slice(first, to);
  const targets = Array.from(losses, (loss, at) => ({ loss, at: first + at }));
  return {
    ...{ tokens: ids.length, windows, stride },
    rows: targets
      .filter(({ at }) => at <= MOST_ROWS)
      .map(
        ({ loss, at }): TrainingRow => ({
          position: at - 1,
          input: nameOf(tokenizer, ids[at - 1]),
          target: nameOf(tokenizer, ids[at]),
          probability: Math.exp(-loss),
          loss,
          context: at - from,
        }),
      ),
    losses: Float32Array.from(losses),
    loss: losses.reduce((sum, loss) => sum + loss, 0),
    bytes: targets.reduce((sum, { at }) => sum + tokenizer.bytesOf(ids[at]).length, 0),
  };
}

/** −ln p of the tokens of a window from one on. */
async function lossesOf(
  decoder: TrainingText['decoder'],
  window: Uint32Array,
  first: number,
): Promise<readonly number[]> {
  if (first === window.length) {
    return [];
  }
  const { scores } = await decoder.score(window, { from: first - 1, to: window.length - 1 });
  return scores.map(({ logProbability }) => Math.max(0, -logProbability));
}

function nameOf(tokenizer: TrainingText['tokenizer'], id: number): NamedToken {
  return { id, text: tokenizer.textOf(id), bytes: [...tokenizer.bytesOf(id)] };
}
