import { HeadlightError } from '../../protocol/errors';
import type { NamedToken, TrainingRow, TrainingView } from '../../protocol/stages';
import type { Tokenizer } from '../model/tokenizer';
import type { Decoder } from '../runtime/decoder';
import { logSumExp } from '../sampling/softmax';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** Each takes as long as a trace. */
const MOST_WINDOWS = 200;
/** Rows that are handed out; more would not be read, and the sums are over all. */
const MOST_ROWS = 2048;

export interface TrainingText {
  readonly decoder: Decoder;
  readonly tokenizer: Tokenizer;
  /** [N], all tokens of the text. */
  readonly ids: Uint32Array;
  /** [N]: the loss of each token in nats where one run has scored them all; the first has none. */
  readonly known: readonly number[] | null;
  readonly contextLength: number;
  readonly stride: number;
}

/**
 * A text as a model is trained on it: each token is to be foretold from those before it, at the loss −ln p. A text that is
 * longer than the context is read in windows, each `stride` tokens ahead of the one before: of every window only those
 * tokens count that none before it has scored, so that each token is scored once, with the longest context that a window
 * gives it.
 *
 * @throws HeadlightError `argument-invalid` for a stride that leaves tokens out, `text-too-long` for too many windows,
 * `cancelled`
 */
export async function trainingView(
  { decoder, tokenizer, ids, known, contextLength, stride }: TrainingText,
  cancellation?: Cancellation,
): Promise<TrainingView> {
  if (!Number.isInteger(stride) || stride < 1 || stride >= contextLength) {
    throw new HeadlightError(
      'argument-invalid',
      `A stride of ${stride} leaves tokens out; give a whole number from 1 to ${contextLength - 1}, below the context's length.`,
    );
  }
  const needed = 1 + Math.ceil(Math.max(0, ids.length - contextLength) / stride);
  if (needed > MOST_WINDOWS) {
    throw new HeadlightError(
      'text-too-long',
      `The text has ${ids.length} tokens, ${needed} windows at a stride of ${stride}, and at most ${MOST_WINDOWS} are run; ` +
        'take a longer stride or less of the text.',
    );
  }
  const rows: TrainingRow[] = [];
  let loss = 0;
  let bytes = 0;
  let windows = 0;
  // The first target that no window has scored yet.
  let next = 1;
  for (let from = 0; windows === 0 || next < ids.length; from += stride) {
    await pauseUnlessCancelled(cancellation);
    const window = ids.subarray(from, Math.min(ids.length, from + contextLength));
    const lossOf = known === null ? await windowLosses(decoder, window) : (at: number) => known[at];
    windows++;
    for (; next < from + window.length; next++) {
      const targetLoss = lossOf(next - from);
      loss += targetLoss;
      bytes += tokenizer.bytesOf(ids[next]).length;
      if (rows.length < MOST_ROWS) {
        rows.push({
          position: next - 1,
          input: textOf(tokenizer, ids[next - 1]),
          target: textOf(tokenizer, ids[next]),
          probability: Math.exp(-targetLoss),
          loss: targetLoss,
          context: next - from,
        });
      }
    }
  }
  const scored = ids.length - 1;
  const meanLoss = scored > 0 ? loss / scored : null;
  return {
    tokens: ids.length,
    windows,
    stride,
    rows,
    scored,
    meanLoss,
    perplexity: meanLoss === null ? null : Math.exp(meanLoss),
    bitsPerByte: bytes === 0 ? null : loss / Math.LN2 / bytes,
  };
}

/** −ln p of each token of a window but the first, by its place in the window. */
async function windowLosses(decoder: Decoder, window: Uint32Array): Promise<(at: number) => number> {
  const { logits } = await decoder.forward(window);
  const vocabSize = logits.length / window.length;
  return (at) => {
    const row = logits.subarray((at - 1) * vocabSize, at * vocabSize);
    return Math.max(0, logSumExp(row) - row[window[at]]);
  };
}

function textOf(tokenizer: Tokenizer, id: number): NamedToken {
  return { id, text: tokenizer.textOf(id), bytes: [...tokenizer.bytesOf(id)] };
}
