import { NotificationType, RequestType } from 'vscode-jsonrpc';
import type { Device, DeviceProof, DeviceStatus } from './device';
import type { LoadedModel, ModelDescription, ModelReport } from './model';
import type { SuggestParams, SuggestResult } from './suggestion';
import type { TextRange, TokenSplits } from './tokens';
import type { CandidateList, HeadMatrix, HeadOverview, SamplerSettings, TokenRange, Trace } from './trace';

/** The requests that the engine process answers. Errors on the wire carry `FailureData` (see errors.ts). */

export interface LoadModelParams {
  /** Absolute path of a model folder, or of one of the graphs in it. */
  readonly directory: string;
  /** What was chosen before: it is opened there or not at all. */
  readonly device: DeviceStatus;
}

export interface ProveDeviceParams {
  /** As in `LoadModelParams`. */
  readonly directory: string;
  readonly device: Device;
  /** Whether it is wanted where each operator was computed; the runtime is slower meanwhile. */
  readonly profile: boolean;
}

export interface TokenizeParams {
  /** The model folder whose tokenizer is used. It is not loaded for this. */
  readonly directory: string;
  readonly text: string;
  /**
   * UTF-16 range of `text` whose tokens are wanted: all that overlap it. The text around it is context, so that the
   * splits at both ends are those of the whole text.
   */
  readonly wanted: TextRange;
  readonly readsSpecial?: boolean;
}

export interface TraceParams {
  readonly text: string;
  /** Whether the name of a special token in the text, such as `<|im_start|>`, is that token; text like any other unless told. */
  readonly readsSpecial?: boolean;
}

/** Every request about a trace names it; the engine keeps the newest two, an older one fails with `trace-unknown`. */
export interface OfTrace {
  readonly traceId: number;
}

export interface HeadOverviewParams extends OfTrace {
  /** Largest side of a thumbnail, in cells. */
  readonly resolution: number;
}

export interface HeadMatrixParams extends OfTrace {
  readonly layer: number;
  readonly head: number;
  readonly queries: TokenRange;
  readonly keys: TokenRange;
  /** At most so many rows and so many columns are wanted. */
  readonly resolution: number;
}

export interface CandidatesParams extends OfTrace {
  readonly sampler: SamplerSettings;
  /** How many candidates are listed at least; all that the sampler kept up to 40 are. */
  readonly limit: number;
  /** Draw with this seed; null draws nothing. */
  readonly seed: number | null;
}

/** What the engine has done and holds. */
export interface EngineStatus {
  readonly pid: number;
  /** What the process takes of the machine's memory. */
  readonly memoryBytes: number;
  /** Tokens that the model has read for suggestions and continuations since it was loaded. */
  readonly readTokens: number;
  /** What is remembered of texts that it has read. */
  readonly prefixTreeBytes: number;
}

export interface LoadProgress {
  readonly stage: 'reading' | 'analysing' | 'starting';
}

export const LoadModelRequest = new RequestType<LoadModelParams, LoadedModel, unknown>('engine/loadModel');
/**
 * Starts a device with hardly anything to compute. This and the next may end the process or never be answered: they are
 * asked of a process that has nothing else to do (devices/trial.ts). Both fail with `device-unavailable` or `device-lost`.
 */
export const ProbeDeviceRequest = new RequestType<{ readonly device: Device }, null, unknown>('device/probe');
/** Runs a model's golden prompt on a device and on the processor. */
export const ProveDeviceRequest = new RequestType<ProveDeviceParams, DeviceProof, unknown>('device/prove');
/**
 * Engine → editor: a run on a device begins, which reads so many tokens and may never end; or, with null, it has ended. Not
 * told of the processor.
 */
export const DeviceRunNotification = new NotificationType<{ readonly tokens: number | null }>('device/run');
/** Reads what a folder holds; nothing is loaded. */
export const DescribeModelRequest = new RequestType<{ readonly directory: string }, ModelDescription, unknown>(
  'engine/describeModel',
);
/** Fails with `trace-unknown` where no model is loaded. */
export const ModelReportRequest = new RequestType<Record<string, never>, ModelReport, unknown>('engine/modelReport');
export const TokenizeRequest = new RequestType<TokenizeParams, TokenSplits, unknown>('engine/tokenize');
export const TraceRequest = new RequestType<TraceParams, Trace, unknown>('engine/trace');
export const HeadOverviewRequest = new RequestType<HeadOverviewParams, HeadOverview, unknown>('trace/headOverview');
export const HeadMatrixRequest = new RequestType<HeadMatrixParams, HeadMatrix, unknown>('trace/headMatrix');
export const CandidatesRequest = new RequestType<CandidatesParams, CandidateList, unknown>('trace/candidates');
/** A newer one of these ends the one under way. */
export const SuggestRequest = new RequestType<SuggestParams, SuggestResult, unknown>('engine/suggest');
/** Answered whether or not a model is loaded. */
export const StatusRequest = new RequestType<Record<string, never>, EngineStatus, unknown>('engine/status');
export const LoadProgressNotification = new NotificationType<LoadProgress>('engine/loadProgress');
