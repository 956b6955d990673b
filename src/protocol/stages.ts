import { RequestType } from 'vscode-jsonrpc';
import type { HeadMatrixParams, OfTrace } from './engine';
import type { HeadMatrix, SamplerSettings, TokenRange } from './trace';

/**
 * Questions about the stages between a text and its next token. Each is answered from what the trace's run left behind,
 * by running the part of the model's own graph that it is about.
 */

/**
 * The steps of a head's attention: the scores of queries and keys as the model scales them; the same with the mask; the
 * weights after the softmax; each weight times the Euclidean norm of the value that it brings.
 */
export type AttentionStep = 'scores' | 'masked' | 'weights' | 'weighted';

export interface HeadStepParams extends HeadMatrixParams {
  readonly step: AttentionStep;
  /** Merges tokens: the first token of each unit, ascending from 0. Token by token where it is left out. */
  readonly units?: readonly number[] | null;
}

/**
 * One step of one head over a window of the T × T matrix. `weights` holds the numbers of that step; NaN stands for what
 * the mask took out. Grouped cells of scores are means over their pairs, those of weights as in `HeadMatrix`.
 */
export interface HeadStepMatrix extends HeadMatrix {
  readonly step: AttentionStep;
  /** The largest magnitude in the whole T × T matrix: the end of its colour scale. */
  readonly extent: number;
}

export interface WorkedRowParams extends OfTrace {
  readonly layer: number;
  readonly head: number;
  readonly query: number;
  /** This key is worked out too, whatever its weight. */
  readonly key: number | null;
  /** So many keys of the largest weight are worked out. */
  readonly limit: number;
}

/** One key of a worked row. */
export interface WorkedKey {
  readonly key: number;
  /** q·k, as the graph multiplies them. */
  readonly product: number;
  /** After the scale, and after whatever else the model does to scores before it masks. */
  readonly score: number;
  /** Null where the mask took it out. */
  readonly masked: number | null;
  readonly weight: number;
  /** ‖v‖ */
  readonly valueNorm: number;
  /** [d] */
  readonly keyVector: Float32Array;
  /** [d of the values] */
  readonly valueVector: Float32Array;
}

/** How one query token reads from others in one head, in numbers. */
export interface WorkedRow {
  readonly layer: number;
  readonly head: number;
  readonly query: number;
  /** Of the layer's key/value heads, the one that this query head shares with its group. */
  readonly kvHead: number;
  readonly kvHeads: number;
  /** What one product is multiplied by to be its score; null where the model does more than that. */
  readonly scale: number | null;
  /** [d] */
  readonly queryVector: Float32Array;
  /** Largest weight first. */
  readonly keys: readonly WorkedKey[];
  /** The keys that are not among these, and their weight together. */
  readonly otherKeys: number;
  readonly otherWeight: number;
  /** [d of the values]: the sum of weight × value over all keys. */
  readonly mixed: Float32Array;
  /** Or why what the heads add cannot be told apart, as with a norm behind the output projection. */
  readonly projection: HeadProjection | { readonly available: false; readonly reason: string };
}

/** Why a layer's attention stands undivided. */
export const HEADS_NOT_TOLD =
  'What single heads add cannot be told: projected one by one, they do not add up to what they add together, as with a ' +
  'norm behind the output projection, or with numbers that are rounded by the largest of all heads.';

/** What the output projection makes of a token's heads, set side by side. */
export interface HeadProjection {
  readonly available: true;
  /** [H]: the Euclidean length of each head's mix, as they are concatenated. */
  readonly mixedNorms: Float32Array;
  /** [H]: and of what the projection of that head alone adds to the stream. */
  readonly addedNorms: Float32Array;
  /** [D]: what this head adds. */
  readonly added: Float32Array;
  /** [D]: what all heads and the projection's bias add together. */
  readonly total: Float32Array;
}

export interface LensParams extends OfTrace {
  readonly positions: TokenRange;
  /** Candidates of each cell. */
  readonly limit: number;
}

/** A token of the vocabulary. */
export interface NamedToken {
  readonly id: number;
  /** Its bytes as text; U+FFFD stands for bytes that are not a whole character. */
  readonly text: string;
  readonly bytes: readonly number[];
}

/** A token that the lens reads off, or that is pushed up or down. */
export interface LensToken extends NamedToken {
  readonly probability: number;
}

/** What the residual stream at one depth and position says about the next token. */
export interface LensCell {
  /** Most probable first. */
  readonly tokens: readonly LensToken[];
  /** The token that really follows: its probability and rank (from 1). Null at the last position. */
  readonly actual: { readonly probability: number; readonly rank: number } | null;
}

/** The logit lens: the model's own final norm and head on the residual stream before the first layer and after each. */
export interface LogitLens {
  readonly positions: TokenRange;
  /** L + 1 rows of as many cells as there are positions. The first is the embeddings' sum, the last the model's own prediction. */
  readonly rows: readonly (readonly LensCell[])[];
}

export interface AttributionParams extends OfTrace {
  /** The token at which the prediction is made. */
  readonly position: number;
  /** Token ids: how much was `target` pushed against `against`? */
  readonly target: number;
  readonly against: number;
}

/** What pushed. `layer` and `head` count from 0. */
export type AttributionSource =
  | { readonly kind: 'embedding' }
  | { readonly kind: 'head'; readonly layer: number; readonly head: number }
  /** A whole layer's attention: where its heads cannot be told apart, or the bias of its output projection. */
  | { readonly kind: 'attention'; readonly layer: number }
  | { readonly kind: 'attention-bias'; readonly layer: number }
  | { readonly kind: 'feed-forward'; readonly layer: number }
  /** The biases of the final norm and the head. */
  | { readonly kind: 'final-bias' };

/** Direct logit attribution: logit(target) − logit(against), split into what each part of the model added to it. */
export interface Attribution {
  readonly position: number;
  readonly target: LensToken;
  readonly against: LensToken;
  /** logit(target) − logit(against), by the run itself. */
  readonly difference: number;
  /** They add up to the difference. */
  readonly parts: readonly { readonly source: AttributionSource; readonly value: number }[];
}

/** Euclidean norms of the residual stream and of what is added to it, by token. */
export interface StreamNorms {
  readonly layers: number;
  readonly length: number;
  /** [L + 1, T]: before the first layer and after each. */
  readonly stream: Float32Array;
  /** [L, T] */
  readonly attention: Float32Array;
  /** [L, T] */
  readonly feedForward: Float32Array;
}

export interface SamplerStepsParams extends OfTrace {
  readonly sampler: SamplerSettings;
  /** So many tokens are followed through the steps. */
  readonly limit: number;
}

/** One token on its way through the sampler; null from where a rule drops it. */
export interface SamplerStepsRow extends NamedToken {
  readonly logit: number;
  /** The logit over the temperature; at temperature 0, where nothing is divided, the logit itself. */
  readonly scaled: number;
  /** The softmax over what top-k kept. */
  readonly afterTopK: number | null;
  readonly afterMinP: number | null;
  /** The sum of the probabilities so far, most probable first: what top-p looks at. */
  readonly cumulative: number | null;
  readonly afterTopP: number | null;
  /** Renormalised, so that all that is kept adds up to 1. */
  readonly final: number | null;
}

/** What the sampler did, rule by rule. */
export interface SamplerSteps {
  readonly rows: readonly SamplerStepsRow[];
  /** Tokens left after each rule. */
  readonly keptByTopK: number;
  readonly keptByMinP: number;
  readonly keptByTopP: number;
  /** The probability that was left before renormalising: every final probability is divided by it. */
  readonly mass: number;
  readonly vocabSize: number;
}

export interface TokenParams extends OfTrace {
  readonly token: number;
}

/** A part of a word: its bytes, and those as text with U+FFFD for bytes that are no whole character. */
export interface WordPart {
  readonly text: string;
  readonly bytes: readonly number[];
}

/** How a word was merged from its bytes. */
export interface WordMerges {
  readonly encoding: string;
  /** The word is the tokens from this one on, so many. */
  readonly firstToken: number;
  readonly tokens: number;
  /** The single bytes first, then the parts after each merge; the last ones are the tokens. */
  readonly steps: readonly {
    readonly parts: readonly WordPart[];
    /** The part that the merge made, and its rank: the lower, the earlier. Null before the first. */
    readonly merged: number | null;
    readonly rank: number | null;
  }[];
}

/** The passage under several vocabularies. */
export interface Vocabularies {
  readonly rows: readonly {
    readonly name: string;
    /** Whether it is the model's own. */
    readonly own: boolean;
    readonly vocabSize: number;
    readonly count: number;
    readonly bytesPerToken: number;
    /** The first of them. */
    readonly tokens: readonly NamedToken[];
  }[];
}

export interface NeuronsParams extends TokenParams {
  readonly layer: number;
  readonly limit: number;
}

/** The hidden layer of a feed-forward at one token. */
export interface ActiveNeurons {
  readonly layer: number;
  readonly token: number;
  readonly width: number;
  /** The function, as it is called. */
  readonly activation: string;
  /** Whether the activation is multiplied with another projection. */
  readonly gated: boolean;
  /** How many neurons are above 0. */
  readonly active: number;
  /** Largest magnitude first. */
  readonly neurons: readonly {
    readonly neuron: number;
    /** Before the activation: one number, or with a gate two; none where the graph does not give one for each neuron. */
    readonly projected: readonly number[];
    readonly value: number;
    /** The tokens of the passage at which it is strongest. */
    readonly exciting: readonly { readonly position: number; readonly value: number }[];
  }[];
}

export interface EmbeddingParams extends OfTrace {
  readonly token: number;
  /** Whose rotation of queries and keys, or bias for distances, is shown. */
  readonly layer: number;
  readonly head: number;
}

export interface NearestParams extends TokenParams {
  readonly limit: number;
}

/** Tokens of the vocabulary whose rows of the embedding matrix point most nearly where a token's own does. */
export interface NearestTokens {
  readonly token: number;
  /** Itself left out, the nearest first. Exact, over the whole vocabulary. */
  readonly nearest: readonly (NamedToken & { readonly cosine: number })[];
}

/** One step on the way from a token's id to the residual stream, [D] numbers each. */
export type EmbeddingStep =
  /** The token's row of the embedding matrix. */
  | { readonly kind: 'token'; readonly vector: Float32Array }
  /** That row times one number. */
  | { readonly kind: 'scale'; readonly factor: number; readonly vector: Float32Array }
  /**
   * What the position adds: a row of a table of weights (`learned`), or sines and cosines, from a table or computed
   * (`sinusoidal`).
   */
  | {
      readonly kind: 'position';
      readonly form: 'learned' | 'sinusoidal' | 'computed';
      /** The row of the table; null where there is none. */
      readonly row: number | null;
      readonly vector: Float32Array;
    }
  /** The sum of what came before. */
  | { readonly kind: 'sum'; readonly vector: Float32Array }
  | { readonly kind: 'norm' | 'projection'; readonly vector: Float32Array }
  /** By operators that say no more than their names. */
  | { readonly kind: 'other'; readonly operators: readonly string[]; readonly vector: Float32Array };

/** A layer turns queries and keys by angles that grow with the position (RoPE). */
export interface RotaryPosition {
  /** Which numbers of a vector are turned together: i and i + half, or 2i and 2i + 1. */
  readonly pairing: 'halves' | 'neighbours';
  /** [pairs]: this token's angles in radians, from −π to π. */
  readonly angles: Float32Array;
  /** [pairs]: what one token further adds to them. */
  readonly frequencies: Float32Array;
  /** What the turned part of a vector is multiplied by besides; 1 in most models. */
  readonly stretch: number;
  /** [d]: the query of the head and its key, before and after. */
  readonly queryBefore: Float32Array;
  readonly queryAfter: Float32Array;
  readonly keyBefore: Float32Array;
  readonly keyAfter: Float32Array;
}

/** How a token and its place become the first residual stream. */
export interface EmbeddingView {
  readonly token: number;
  readonly layer: number;
  readonly head: number;
  /** From the row of the table to the stream, whose vector is the last. */
  readonly steps: readonly EmbeddingStep[];
  /** Null where the layer turns nothing. */
  readonly rotary: RotaryPosition | null;
  /**
   * ALiBi: what this head's scores gain for each token that a key is nearer (Press et al. 2022). Null where they gain nothing
   * that grows evenly with the distance.
   */
  readonly alibiSlope: number | null;
  /** In a sentence: what this graph does not hold; null where nothing is missing. */
  readonly missing: string | null;
}

export interface NormsParams extends TokenParams {
  readonly layer: number;
}

/** One norm at one token. */
export interface NormView {
  readonly kind: 'LayerNorm' | 'RMSNorm';
  /** Of the numbers before: their mean, and what they are divided by but for ε: deviation (LayerNorm) or root mean square. */
  readonly mean: number;
  readonly divisor: number;
  /** [D] each. */
  readonly before: Float32Array;
  readonly after: Float32Array;
}

/** A block's norms: what its attention and its feed-forward read instead of the stream itself. Null where not found. */
export interface NormsView {
  readonly layer: number;
  readonly token: number;
  readonly attention: NormView | null;
  readonly feedForward: NormView | null;
}

export const NormsRequest = new RequestType<NormsParams, NormsView, unknown>('trace/norms');
export const EmbeddingRequest = new RequestType<EmbeddingParams, EmbeddingView, unknown>('trace/embedding');
export const NearestTokensRequest = new RequestType<NearestParams, NearestTokens, unknown>('trace/nearestTokens');
export const HeadStepRequest = new RequestType<HeadStepParams, HeadStepMatrix, unknown>('trace/headStep');
export const WorkedRowRequest = new RequestType<WorkedRowParams, WorkedRow, unknown>('trace/workedRow');
export const LensRequest = new RequestType<LensParams, LogitLens, unknown>('trace/lens');
export const AttributionRequest = new RequestType<AttributionParams, Attribution, unknown>('trace/attribution');
export const StreamNormsRequest = new RequestType<OfTrace, StreamNorms, unknown>('trace/streamNorms');
export const SamplerStepsRequest = new RequestType<SamplerStepsParams, SamplerSteps, unknown>('trace/samplerSteps');
export const WordMergesRequest = new RequestType<TokenParams, WordMerges, unknown>('trace/wordMerges');
export const VocabulariesRequest = new RequestType<OfTrace, Vocabularies, unknown>('trace/vocabularies');
export const NeuronsRequest = new RequestType<NeuronsParams, ActiveNeurons, unknown>('trace/neurons');

/** All of them, for who hands questions on. */
export const STAGE_REQUESTS = [
  EmbeddingRequest,
  NearestTokensRequest,
  NormsRequest,
  HeadStepRequest,
  WorkedRowRequest,
  LensRequest,
  AttributionRequest,
  StreamNormsRequest,
  SamplerStepsRequest,
  WordMergesRequest,
  VocabulariesRequest,
  NeuronsRequest,
] as const;
