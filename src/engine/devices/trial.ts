import type { CancellationToken, RequestType } from 'vscode-jsonrpc';
import { DEVICE_NAMES, type Device, type DeviceProof } from '../../protocol/device';
import { ProbeDeviceRequest, ProveDeviceRequest } from '../../protocol/engine';
import { HeadlightError } from '../../protocol/errors';
import { EngineClient } from '../client';
import { areSoftware, softwareOnly } from './software-adapters';

export interface TrialOptions {
  /** Path of the engine's entry point. */
  readonly entryPoint: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
  readonly limits: TrialLimits;
}

/** Milliseconds after which a device counts as hanging. */
export interface TrialLimits {
  /** Starting it. */
  readonly probe: number;
  /** Loading the model and running the golden prompt on it, and the same on the processor. */
  readonly proof: number;
}

export interface Tried {
  readonly directory: string;
  readonly device: Device;
  readonly profile: boolean;
  /** Whether an adapter that computes on the processor is worth the proof, which takes it long. */
  readonly software: boolean;
}

/** What a trial showed. */
export interface TrialResult {
  /** Why the device cannot be used, as a phrase; null where its numbers are there to be judged. */
  readonly problem: string | null;
  /** What the problem holds for: the device with every model, with this one, or where software adapters are not wanted. */
  readonly scope: 'device' | 'model' | 'software';
  readonly proof: DeviceProof | null;
  /** The adapters that the driver offered, by their own names; empty where it does not tell. */
  readonly adapters: readonly string[];
}

/** Makes the Vulkan loader name the devices that it finds. */
const NAME_DEVICES = { VK_LOADER_DEBUG: 'info' };
const LOADER_LINE = /^(INFO|LAYER|DRIVER|DEBUG|WARNING|ERROR)\b.*:\s/;
const LOADER_DEVICE = /^INFO\b.*:\s+\[\d+\] (.+?)\s*$/;

/**
 * Tries a device in a process of its own: a driver may end it or never come back, and nothing else is lost with it. First
 * something tiny, to tell a driver that does not work from a model that it does not take.
 *
 * @throws HeadlightError `cancelled`; and what is wrong with the model itself
 */
export async function tryDevice(
  { entryPoint, env, log, limits }: TrialOptions,
  { directory, device, profile, software }: Tried,
  cancellation?: CancellationToken,
): Promise<TrialResult> {
  const adapters = new Set<string>();
  const hear = (text: string) => {
    for (const line of text.split(/\r?\n/)) {
      const named = LOADER_DEVICE.exec(line)?.[1];
      if (named !== undefined) {
        adapters.add(named);
      } else if (!LOADER_LINE.test(line) && line.trim() !== '') {
        log(line);
      }
    }
  };
  const client = new EngineClient({ entryPoint, env: () => ({ ...env, ...NAME_DEVICES }), log: hear });
  let scope: TrialResult['scope'] = 'device';
  const unusable = (problem: string) => ({ problem, scope, proof: null, adapters: [...adapters] });
  try {
    await within(limits.probe, device, client, ProbeDeviceRequest, { device }, cancellation);
    if (!software && areSoftware([...adapters])) {
      scope = 'software';
      return unusable(softwareOnly(DEVICE_NAMES[device], [...adapters]));
    }
    scope = 'model';
    const asked = { directory, device, profile };
    const proof = await within(limits.proof, device, client, ProveDeviceRequest, asked, cancellation);
    return { problem: null, scope, proof, adapters: [...adapters] };
  } catch (error) {
    const { code, message } = HeadlightError.from(error);
    switch (code) {
      case 'device-unavailable':
      case 'device-lost':
        return unusable(message);
      case 'engine-stopped': {
        const how = message.replace(/^The engine process /, 'its process ').replace(/\.$/, '');
        return unusable(`${DEVICE_NAMES[device]} crashed when it was tried (${how})`);
      }
      default:
        throw error;
    }
  } finally {
    client.stop();
  }
}

/** Asks a process that may never answer. */
async function within<P, R>(
  limit: number,
  device: Device,
  client: EngineClient,
  type: RequestType<P, R, unknown>,
  params: P,
  cancellation: CancellationToken | undefined,
): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  let cancelling: { dispose(): void } | undefined;
  const ended = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const seconds = (limit / 1000).toLocaleString('en-US');
      reject(new HeadlightError('device-unavailable', `${DEVICE_NAMES[device]} did not answer within ${seconds} s`));
    }, limit);
    // The process may not be listening any more.
    cancelling = cancellation?.onCancellationRequested(() =>
      reject(new HeadlightError('cancelled', 'The request was cancelled.')),
    );
  });
  const answer = client.request(type, params, cancellation);
  // Once the race is lost nobody listens to it.
  answer.catch(() => {});
  try {
    return await Promise.race([answer, ended]);
  } finally {
    clearTimeout(timer);
    cancelling?.dispose();
  }
}
