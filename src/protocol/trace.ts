import type { DeviceStatus } from './device';
import type { ModelSummary } from './model';
import type { Token } from './tokens';

/**
 * A token with what the model made of it. `probability`, `rank` and `surprisal` belong to this token given all before
 * it, and are null where nothing stands before it.
 */
export interface TokenReading extends Token {
  /** The model's own probability, 0–1. */
  readonly probability: number | null;
  /** 1 = the most probable token of the whole vocabulary; ties share the better rank. */
  readonly rank: number | null;
  /** −log2 probability, in bits. */
  readonly surprisal: number | null;
  /** Entropy in bits of the prediction made AT this token, that is of what follows it. */
  readonly entropy: number;
}

/** What was left out because the passage is longer than the model's context. */
export interface Truncation {
  readonly totalTokens: number;
  /** The last `keptTokens` tokens were read. */
  readonly keptTokens: number;
}

/** What was found of a model's attention. */
export type AttentionAvailability =
  | { readonly available: true; readonly layers: number; readonly heads: number }
  | { readonly available: false; readonly reason: string };

/** Wall-clock milliseconds. */
export interface TraceTiming {
  readonly tokenizeMs: number;
  readonly forwardMs: number;
}

/** One run of the model over a passage, without the big tensors: those stay in the engine under `id`. Immutable. */
export interface Trace {
  readonly id: number;
  readonly model: ModelSummary;
  readonly device: DeviceStatus;
  readonly tokens: readonly TokenReading[];
  /** Null where the whole passage was read. */
  readonly truncation: Truncation | null;
  /** Mean surprisal in bits over the tokens that have one; null where none has. */
  readonly meanSurprisal: number | null;
  /** 2 to the mean surprisal; null where no token has one. */
  readonly perplexity: number | null;
  readonly attention: AttentionAvailability;
  readonly timing: TraceTiming;
}

/** Every head of every layer, small: for the grid of thumbnails. */
export interface HeadOverview {
  readonly layers: number;
  readonly heads: number;
  /**
   * Side of one thumbnail in cells: the passage's length T where that is at most the resolution asked for. Otherwise
   * query tokens and key tokens are grouped evenly, and a cell is the mean over its queries of the attention that falls
   * on its keys together, so that every row still sums to 1.
   */
  readonly side: number;
  /** [layers, heads, side, side], row-major; the weight's square root times 255, rounded. */
  readonly thumbnails: Uint8Array;
  /** [layers, heads] */
  readonly statistics: HeadStatisticsColumns;
}

/** How a head behaves on the passage; averages over its query tokens. All but the entropy are 0–1. */
export interface HeadStatistics {
  /** Mean weight on the token just before. */
  readonly previous: number;
  /** Mean weight on token 0, over the queries after it. */
  readonly first: number;
  /** Over queries whose token occurred before: weight on the tokens that followed those occurrences. NaN without repeats. */
  readonly induction: number;
  /** Over queries whose token occurred before: weight on those occurrences. NaN without repeats. */
  readonly duplicate: number;
  /** Mean entropy of the rows, in bits. */
  readonly entropy: number;
}

/** `HeadStatistics` column-wise, [layers, heads] each. */
export type HeadStatisticsColumns = { readonly [K in keyof HeadStatistics]: Float32Array };

/** A range of tokens, from inclusive, to exclusive. */
export interface TokenRange {
  readonly from: number;
  readonly to: number;
}

/** The attention weights of one head after the softmax, over a window of the T × T matrix. */
export interface HeadMatrix {
  readonly layer: number;
  readonly head: number;
  readonly queries: TokenRange;
  readonly keys: TokenRange;
  /**
   * Query tokens a row and key tokens a column: 1 unless the window has more tokens than cells were asked for; 0 where
   * `rowStarts` and `columnStarts` say it.
   */
  readonly queriesPerRow: number;
  readonly keysPerColumn: number;
  /** Where tokens were merged to units: the first token of each row, and the end of the last. The same for the columns. */
  readonly rowStarts?: Uint32Array;
  readonly columnStarts?: Uint32Array;
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns]; grouped cells as in `HeadOverview.side`. Cells above the diagonal are exactly 0. */
  readonly weights: Float32Array;
}

/** The settings of the sampler. Applied in this order: temperature, top-k, softmax, min-p, top-p, renormalise. */
export interface SamplerSettings {
  /** Divides the logits; 0 takes the arg max. */
  readonly temperature: number;
  /** Keep the k most probable tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the smallest set, most probable first, whose probabilities reach p; 1 keeps all. */
  readonly topP: number;
  /** Keep what has at least min-p times the largest probability; 0 keeps all. */
  readonly minP: number;
}

/** Which rule of the sampler left the fewest tokens. */
export type CutRule = 'temperature 0' | 'top-k' | 'min-p' | 'top-p';

/** One candidate for the next token. */
export interface Candidate {
  readonly id: number;
  readonly text: string;
  readonly bytes: readonly number[];
  /** The model's own probability: softmax of the unchanged logits over the whole vocabulary. */
  readonly probability: number;
  /** The probability after the sampler; 0 where the sampler dropped the token. */
  readonly samplerProbability: number;
  /** From 1, by the model's own probability. */
  readonly rank: number;
}

/** A seeded draw from the sampler's distribution. */
export interface Draw {
  /** In [0, 1): where the draw fell on the cumulative distribution, most probable token first. */
  readonly u: number;
  readonly candidate: Candidate;
}

/** The candidates for the token that follows the passage. */
export interface CandidateList {
  /** Most probable first. */
  readonly candidates: readonly Candidate[];
  /** How many tokens of the vocabulary the sampler kept. */
  readonly kept: number;
  readonly vocabSize: number;
  /** Null where the sampler kept the whole vocabulary. */
  readonly cut: CutRule | null;
  /** The sampler's probabilities of all kept tokens, most probable first, at most 256 of them: for the draw's strip. */
  readonly keptProbabilities: Float32Array;
  /** Null unless a seed was given. */
  readonly draw: Draw | null;
}
