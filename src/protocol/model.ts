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

/** Where a model runs. */
export type Device = 'cpu' | 'cuda' | 'webgpu' | 'dml' | 'coreml';

/** What the user may ask for; `auto` takes the best device that can be had. */
export type DeviceChoice = Device | 'auto';

/** The device in use and, where it is not the one that was asked for, why. */
export interface DeviceStatus {
  readonly device: Device;
  readonly reason: string | null;
}

/** A model that is loaded and ready. */
export interface LoadedModel {
  readonly model: ModelSummary;
  readonly device: DeviceStatus;
  /** Why no attention can be shown, or null where every layer's was found. */
  readonly attentionUnavailable: string | null;
  readonly loadMs: number;
}
