import type { SamplerSettings } from './trace';

/** Where a suggestion ends at the latest: with the line that the caret is on, or with the block. */
export type SuggestionExtent = 'line' | 'block';

export interface SuggestParams {
  /** What stands before the caret, with its own line ends. The engine reads its last `windowTokens` tokens. */
  readonly text: string;
  /** As in `TraceParams`. */
  readonly readsSpecial?: boolean;
  readonly extent: SuggestionExtent;
  /** How each token is chosen: temperature 0 takes the most probable one. */
  readonly sampler: SamplerSettings;
  /** For the draws of a sampler that is not at temperature 0; the same seed makes the same suggestion. */
  readonly seed: number;
  /** How many suggestions are wanted; the first one is the model's own, the others are its most probable branches. */
  readonly count: number;
  /** A suggestion stops before a token that is less probable than this, 0–1. */
  readonly confidenceFloor: number;
  /** Tokens that a suggestion has, however improbable they are. */
  readonly atLeast: number;
  readonly maxTokens: number;
  /** At most so many tokens before the caret are read; the model's context may hold fewer. */
  readonly windowTokens: number;
  /** What the tree of earlier prefixes may take. */
  readonly cacheBytes: number;
}

/** A token that could have stood in another's place. */
export interface RunnerUp {
  readonly id: number;
  readonly text: string;
  /** The model's own probability, 0–1, given the same tokens before it. */
  readonly probability: number;
}

export interface SuggestedToken {
  readonly id: number;
  /** What it adds behind the caret; empty for a token whose bytes are completed to a character by the ones after it. */
  readonly text: string;
  /** The end of the text before the caret that this token covers too: `lo` where `log` was suggested at `console.lo`. */
  readonly typed: string;
  /** The model's own probability of the whole token, 0–1, given the tokens before it. */
  readonly probability: number;
  /** The same among all that begins with what was typed; what is compared with the confidence floor. */
  readonly confidence: number;
  /** The two most probable others, of those that begin with what was typed. */
  readonly runnersUp: readonly RunnerUp[];
}

/** Why a suggestion ends where it does. */
export type SuggestionEnd =
  | 'line'
  | 'block'
  /** The model says that the text ends. */
  | 'end-token'
  /** It had begun to repeat itself. */
  | 'loop'
  /** The next token is below the confidence floor. */
  | 'confidence'
  /** The bytes that the model wrote are no text. */
  | 'bytes'
  /** As many tokens as were asked for, or as the context holds. */
  | 'length';

export interface Suggestion {
  /** What follows the caret. Never empty. */
  readonly text: string;
  /** That the model writes just this, given what was typed: the product of the tokens' confidences. */
  readonly probability: number;
  readonly tokens: readonly SuggestedToken[];
  readonly ended: SuggestionEnd;
}

export interface SuggestResult {
  /** The model's own first; empty where it has nothing to say, or is not sure enough. */
  readonly suggestions: readonly Suggestion[];
  /** Tokens of the text that the model was given. */
  readonly promptTokens: number;
  /** How many of those it had to read for this, the others being remembered. */
  readonly readTokens: number;
  /** Milliseconds until the first token was known, from when the engine took the request up with the model at hand. */
  readonly firstTokenMs: number;
}
