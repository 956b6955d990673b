import { RequestType } from 'vscode-jsonrpc';
import type { OfTrace } from './engine';
import type { NamedToken } from './stages';
import type { HeadStatistics } from './trace';

/** Questions about all heads of the model together. */

/** What heads are scored for. */
export type HeadScoreName = Exclude<keyof HeadStatistics, 'entropy'>;

export const HEAD_SCORES: readonly HeadScoreName[] = ['previous', 'induction', 'duplicate', 'first'];

/** Mean weights 0–1, [layers, heads] each. */
export type HeadScoreColumns = { readonly [K in HeadScoreName]: Float32Array };

/** The text of random tokens that heads are scored on: a first token, then L others, then the same L again. */
export interface RandomText {
  /** L, in tokens. */
  readonly length: number;
  /** What stands before the random tokens. */
  readonly first: NamedToken;
  /** False where the model has no token to begin a text with, so that one more random token stands there. */
  readonly beginsText: boolean;
  /** [2 L + 1] each: the texts as the model read them. */
  readonly repeatedIds: Uint32Array;
  readonly controlIds: Uint32Array;
}

/**
 * How much every head of the model is a previous-token, an induction, a duplicate-token or a first-token head.
 *
 * On random tokens [s, r, r] with |r| = L, all averaged over the queries q of the second copy: previous A[q, q − 1],
 * induction A[q, q − L + 1], duplicate A[q, q − L], first A[q, 0]. The control measures the same cells on [s, r, r′], in
 * which no token occurs twice: what is left there is not due to the repetition.
 */
export interface HeadScores {
  readonly layers: number;
  readonly heads: number;
  /** On the passage, as in `HeadStatistics`; induction and duplicate are NaN where no token of it repeats. */
  readonly passage: HeadScoreColumns;
  readonly repeated: HeadScoreColumns;
  readonly control: HeadScoreColumns;
  readonly randomText: RandomText;
}

export const HeadScoresRequest = new RequestType<OfTrace, HeadScores, unknown>('trace/headScores');
