import type { DeviceStatus } from './device';

/** What the panel, the status bar and the command line say about a loaded model. */
export interface ModelSummary {
  /** The folder's name, or the name its configuration gives. */
  readonly name: string;
  /** Absolute path of the model folder. */
  readonly directory: string;
  /** The configuration's `model_type`, e.g. `gpt2`. */
  readonly architecture: string;
  readonly layers: number;
  /** Query heads of a layer. */
  readonly heads: number;
  /** Key/value heads of a layer; equal to `heads` without grouped-query attention. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly hiddenSize: number;
  readonly vocabSize: number;
  /** Longest sequence, in tokens. */
  readonly contextLength: number;
  /** Weights counted from the graph's initializers. */
  readonly parameters: number;
}

/** A model that is loaded and ready. */
export interface LoadedModel {
  readonly model: ModelSummary;
  readonly device: DeviceStatus;
  /** Why no attention can be shown, or null where every layer's was found. */
  readonly attentionUnavailable: string | null;
  readonly loadMs: number;
}

/** What a model folder holds, read without loading the model. */
export interface ModelDescription {
  readonly name: string;
  readonly architecture: string;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly contextLength: number;
  readonly parameters: number;
  /** How most of the weights are stored: `float32`, `float16`, `int8`, `4-bit` … */
  readonly precision: string;
  /** What the graph and its weights take on disk, in bytes. */
  readonly byteLength: number;
  /** All graphs of the folder, the one that is meant by the folder itself first. */
  readonly graphFiles: readonly GraphFile[];
}

/** One of a model folder's graphs. */
export interface GraphFile {
  /** Absolute path. */
  readonly path: string;
  /** With the files that stand beside it for its weights, in bytes. */
  readonly byteLength: number;
}

/** What the analysis of the graph found of one layer. Names are those of the graph's tensors. */
export interface LayerReport {
  /** How its attention is computed, such as `MatMul → Mul → Add → Softmax → MatMul`, or the operator that does it all. */
  readonly form: string;
  /** Null where the layer's attention can be looked at; otherwise what was found instead. */
  readonly problem: string | null;
  /** Query heads, and heads that have keys and values of their own; null where the attention cannot be looked at. */
  readonly heads: number | null;
  readonly kvHeads: number | null;
  /** After rotation; null where they stay inside an operator. */
  readonly queries: string | null;
  readonly keys: string | null;
  readonly values: string | null;
  /** Before the mask, and as they enter the softmax. */
  readonly scores: string | null;
  readonly maskedScores: string | null;
  readonly weights: string | null;
  readonly residualBefore: string | null;
  readonly residualAfter: string | null;
  /** Null where the attention cannot be looked at. */
  readonly recomputed: 'from queries and keys' | 'by another run' | null;
}

/** What the analysis found in a loaded model, layer by layer. */
export interface ModelReport {
  readonly model: ModelSummary;
  readonly device: DeviceStatus;
  /** Path of the graph. */
  readonly graphFile: string;
  readonly precision: string;
  readonly producer: string;
  /** Whole sentences: which branch of a merged decoder is looked into, what was measured for want of a configuration. */
  readonly notes: readonly string[];
  /** Such as `ai.onnx 17`. */
  readonly opsets: readonly string[];
  readonly inputs: readonly { readonly name: string; readonly role: string }[];
  readonly logits: string;
  readonly attentionUnavailable: string | null;
  readonly hiddenStatesUnavailable: string | null;
  readonly layers: readonly LayerReport[];
}
