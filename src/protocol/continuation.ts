import { RequestType } from 'vscode-jsonrpc';
import type { OfTrace } from './engine';
import type { LensToken } from './stages';
import type { SamplerSettings, Trace } from './trace';

/** Writes on behind the tokens of a passage, or behind some of them and others that were chosen. */
export interface ContinuationParams extends OfTrace {
  /** So many of the trace's tokens are kept, from the first on; at least 1. */
  readonly keep: number;
  /** Ids of the tokens that stand behind those: chosen, or generated before. */
  readonly behind: readonly number[];
  /** At most so many tokens are generated. */
  readonly count: number;
  /** Ends before a line break, behind a token with one in it, and with the first round of what would go round in circles. */
  readonly untilLineEnd: boolean;
  /** How each token is chosen: temperature 0 takes the most probable one. */
  readonly sampler: SamplerSettings;
  /**
   * For the draws of a sampler that is not at temperature 0. The token that stands n tokens behind the kept ones takes the
   * seed's draw n, so that a text is the same however many tokens are asked for at a time.
   */
  readonly seed: number;
  /** So many candidates are listed for each token. */
  readonly limit: number;
  /** After so many milliseconds the answer comes with what there is, at least one token; null waits for all. */
  readonly withinMs: number | null;
}

/** A token that the model wrote, and how. `reused + read + leftOut` are all tokens before it. */
export interface GeneratedToken extends LensToken {
  /** The probability after the sampler. */
  readonly samplerProbability: number;
  /** From 1, by the model's own probability; ties share the better rank. */
  readonly rank: number;
  /** Those with the largest probability of the model's own, itself among them where it is one; most probable first. */
  readonly candidates: readonly LensToken[];
  /** Tokens before it whose keys and values were in the cache, so that they were not read again. */
  readonly reused: number;
  /** Tokens before it that the model read for it. */
  readonly read: number;
  /** Tokens at the beginning that were given up, since the context holds no more. */
  readonly leftOut: number;
  /** From the request for it until it was chosen, other work with the model included. */
  readonly milliseconds: number;
}

/** Why a continuation ends where it does. `time`: `withinMs` is over, and there is more to be had. */
export type ContinuationEnd = 'count' | 'line' | 'loop' | 'end-token' | 'time';

export interface Continuation {
  /** The last one is the end token where that ended it. */
  readonly tokens: readonly GeneratedToken[];
  readonly ended: ContinuationEnd;
  /** Bytes of one token's keys and values in all layers; 0 where the graph takes none, so that all is read each time. */
  readonly cacheBytesPerToken: number;
}

/** Answered for the traces that were handed out lately, also for those whose tensors are gone. */
export const ContinuationRequest = new RequestType<ContinuationParams, Continuation, unknown>('trace/continuation');

/** Another way that a passage could have gone on from one of its tokens. */
export interface BranchPath {
  /** So many of the passage's tokens are kept, from the first on; at least 1. */
  readonly keep: number;
  /** Ids of the tokens behind those; at least one. */
  readonly behind: readonly number[];
}

export type BranchParams = OfTrace & BranchPath;

/** A passage that has gone another way, read by the model token for token as it was chosen. */
export interface Branch {
  /** Its offsets count from where those of the passage's trace do. */
  readonly trace: Trace;
  /** Where the passage's text ends that is kept, and the branch's own begins. */
  readonly from: number;
  /** What the tokens behind the kept ones spell. */
  readonly text: string;
}

/** Makes the trace of a branch. Answered for the traces that were handed out lately, as a `ContinuationRequest` is. */
export const BranchRequest = new RequestType<BranchParams, Branch, unknown>('trace/branch');
