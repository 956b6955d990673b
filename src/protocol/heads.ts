import { RequestType } from 'vscode-jsonrpc';
import type { HeadMatrixParams, OfTrace } from './engine';
import type { NamedToken } from './stages';
import type { HeadMatrix, HeadStatistics } from './trace';

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

/**
 * Heads taken together: the mean or the largest weight of all heads of a layer, or of the model; or attention rollout
 * (Abnar and Zuidema 2020) from before the first layer to after one: Ã_l = (½ · mean over heads of A_l + ½ · I) · Ã_{l−1}.
 */
export type HeadCombination = 'layer-mean' | 'layer-max' | 'model-mean' | 'model-max' | 'rollout';

/** `head` is not looked at, and `layer` not where the whole model is taken together. */
export interface CombinedHeadsParams extends HeadMatrixParams {
  readonly combination: HeadCombination;
  /** Merges tokens: the first token of each unit, ascending from 0; null takes token by token. */
  readonly units: readonly number[] | null;
}

/** Grouped cells as in `HeadMatrix`; those of largest weights are the largest of their pairs. */
export const CombinedHeadsRequest = new RequestType<CombinedHeadsParams, HeadMatrix, unknown>('trace/combinedHeads');

export interface HeadScoresParams extends OfTrace {
  /** About so long is worked for this answer; null works until all is done. What was done is kept for the next question. */
  readonly withinMs: number | null;
}

/** The scores, or how far they are. */
export interface HeadScoring {
  /** Null where there is more to do. */
  readonly scores: HeadScores | null;
  /** Layers that are scored, and all that are to be: those of the model for each of the two random texts. */
  readonly done: number;
  readonly of: number;
}

export const HeadScoresRequest = new RequestType<HeadScoresParams, HeadScoring, unknown>('trace/headScores');
