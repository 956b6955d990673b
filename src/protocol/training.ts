import { RequestType } from 'vscode-jsonrpc';
import type { OfTrace } from './engine';
import type { NamedToken } from './stages';

/** A text as a model is trained on it. It is read in windows, one a question: a long text may have a thousand of them. */

export interface TrainingParams extends OfTrace {
  /** Tokens that a window is ahead of the one before it. A text that fits the context has one window. */
  readonly stride: number;
  /** The window that is read, from 0. */
  readonly window: number;
}

/** One token of the text as a model is trained on it. */
export interface TrainingRow {
  /** Position of the input token in the text. */
  readonly position: number;
  /** The token that is read, and the one that is to follow. */
  readonly input: NamedToken;
  readonly target: NamedToken;
  /** The target's probability; its loss is −ln of it, in nats. */
  readonly probability: number;
  readonly loss: number;
  /** Tokens that stood before the target in its window. */
  readonly context: number;
}

/** The targets of one window that none before it has scored. */
export interface TrainingWindow {
  /** Of the whole text. */
  readonly tokens: number;
  /** All that the text takes. */
  readonly windows: number;
  readonly stride: number;
  /** Those among the first 2,048 targets of the text; more would not be read. */
  readonly rows: readonly TrainingRow[];
  /** −ln p of all of them, in nats. */
  readonly losses: Float32Array;
  /** Their sum, before it is rounded to single precision. */
  readonly loss: number;
  /** UTF-8 bytes of the targets together. */
  readonly bytes: number;
}

/** A text as training data, as far as it was read. */
export interface TrainingView extends TrainingWindow {
  readonly windowsRead: number;
  /** Targets that were scored: in the end all tokens but the first. */
  readonly scored: number;
  /** Mean of the losses, in nats; null where nothing was scored. */
  readonly meanLoss: number | null;
  /** e to the mean loss. */
  readonly perplexity: number | null;
  /** All losses in bits, over the bytes of the scored tokens. */
  readonly bitsPerByte: number | null;
}

/** A view with one window more. */
export function withWindow(before: TrainingView | null, window: TrainingWindow): TrainingView {
  const known = before?.losses.length ?? 0;
  const scored = known + window.losses.length;
  const losses = new Float32Array(scored);
  losses.set(before?.losses ?? []);
  losses.set(window.losses, known);
  const loss = (before?.loss ?? 0) + window.loss;
  const bytes = (before?.bytes ?? 0) + window.bytes;
  const meanLoss = scored === 0 ? null : loss / scored;
  return {
    ...window,
    ...{ losses, loss, bytes, scored, meanLoss },
    windowsRead: (before?.windowsRead ?? 0) + 1,
    rows: window.rows.length === 0 ? (before?.rows ?? []) : [...(before?.rows ?? []), ...window.rows],
    perplexity: meanLoss === null ? null : Math.exp(meanLoss),
    bitsPerByte: bytes === 0 ? null : loss / Math.LN2 / bytes,
  };
}

export const TrainingRequest = new RequestType<TrainingParams, TrainingWindow, unknown>('trace/training');
