/** Where a model runs: the processor, or a device by the interface that it is reached through. */
export type Device = 'cpu' | 'cuda' | 'webgpu' | 'dml' | 'coreml';

/** What the user may ask for; `auto` takes the fastest that gives the right numbers. */
export type DeviceChoice = Device | 'auto';

export const DEVICE_NAMES: Readonly<Record<Device, string>> = {
  cpu: 'CPU',
  cuda: 'CUDA',
  webgpu: 'WebGPU',
  dml: 'DirectML',
  coreml: 'Core ML',
};

/** The device in use and, where it is not the one that was asked for, why: a phrase, such as `no WebGPU adapter`. */
export interface DeviceStatus {
  readonly device: Device;
  readonly reason: string | null;
}

/** `WebGPU`, or `CPU: no WebGPU adapter` where there is a reason. */
export function describeDevice({ device, reason }: DeviceStatus): string {
  return reason === null ? DEVICE_NAMES[device] : `${DEVICE_NAMES[device]}: ${reason}`;
}

/**
 * The same in a few words, for where there is little room: of several reasons the first, which is that of the device that was
 * wanted most, and without what stands in brackets or behind a colon, such as what a driver has said.
 */
export function describeDeviceBriefly({ device, reason }: DeviceStatus): string {
  return describeDevice({ device, reason: reason?.split(/ \(|: |; /, 1)[0] ?? null });
}

/** How far a device's numbers are from the processor's, on the golden prompt. */
export interface DeviceDifferences {
  /** Largest difference of two logits, as a part of the largest logit. */
  readonly logits: number;
  /** Largest difference of two attention weights, of any head; null where the model's attention was not found. */
  readonly attention: number | null;
  /** As `logits`, of the steps that read one token more from the cache. */
  readonly step: number;
}

/** Milliseconds, the best of a few runs. */
export interface DeviceTimes {
  /** Reading the golden prompt from its start. */
  readonly prompt: number;
  /** Reading one token behind it, from the cache. */
  readonly step: number;
}

/** What one kind of operator took, of a run's time in operators. */
export interface OperatorTime {
  readonly operator: string;
  /** Number of such nodes. */
  readonly nodes: number;
  readonly ms: number;
}

/** Where the operators of a run of the golden prompt were computed. */
export interface OperatorProfile {
  readonly onDevice: readonly OperatorTime[];
  /** What the device does not compute, the longest first. */
  readonly onCpu: readonly OperatorTime[];
  /** Copies between the device's memory and the processor's. */
  readonly copies: readonly OperatorTime[];
}

/** `integer` also where only products are, or may be: what is multiplied is rounded before. */
export type Arithmetic = 'float32' | 'float16' | 'integer';

/** A model on a device, held against the same model on the processor. */
export interface DeviceProof {
  /** What the model's graph computes in, by which the tolerance goes. */
  readonly arithmetic: Arithmetic;
  /** Of the differences of logits and steps, and of attention weights. */
  readonly tolerance: number;
  readonly differences: DeviceDifferences;
  /** T of the golden prompt, in tokens. */
  readonly tokens: number;
  readonly times: { readonly device: DeviceTimes; readonly cpu: DeviceTimes };
  /** Null where it was not asked for. */
  readonly operators: OperatorProfile | null;
}
