import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { DEVICE_NAMES, type Device } from '../../protocol/device';
import { HeadlightError } from '../../protocol/errors';
import type { InstrumentedModel } from '../onnx/instrument';
import type { Feeds } from './feeds';
import { openSession, runFailure, type SessionOptions } from './providers';

/** Hears, with the number of tokens that are read, that a run begins which may never end; and with null that it has ended. */
export type RunListener = (tokens: number | null) => void;

export interface DeviceSessionOptions extends SessionOptions {
  /** Not called for runs on the processor. */
  readonly onRun?: RunListener | undefined;
}

/** A session of the runtime on a device. What it gives lies in the processor's memory. */
export class DeviceSession {
  private constructor(
    private readonly session: Pick<InferenceSession, 'run' | 'endProfiling' | 'release'>,
    readonly device: Device,
    private readonly name: string,
    private readonly onRun: RunListener | undefined,
  ) {}

  /** @throws HeadlightError as `openSession` */
  static async open(model: InstrumentedModel, { onRun, ...options }: DeviceSessionOptions): Promise<DeviceSession> {
    return DeviceSession.of(await openSession(model, options), options.device, options.name, onRun);
  }

  /** @param name of the model, for the sentence of a failure */
  static of(
    session: Pick<InferenceSession, 'run' | 'endProfiling' | 'release'>,
    device: Device,
    name: string,
    onRun?: RunListener,
  ): DeviceSession {
    return new DeviceSession(session, device, name, device === 'cpu' ? undefined : onRun);
  }

  /**
   * @param fetch the outputs that are wanted
   * @param tokens how many are read
   * @throws HeadlightError `device-lost`; `internal` where the processor fails too, or results are left on the device
   */
  async run(feeds: Feeds, fetch: readonly string[], tokens: number): Promise<Readonly<Record<string, Tensor>>> {
    this.onRun?.(tokens);
    const results = await this.session
      .run(feeds, [...new Set(fetch)])
      .catch((cause) => {
        throw runFailure(this.device, this.name, cause);
      })
      .finally(() => this.onRun?.(null));
    this.refuseLeftBehind(results);
    return results;
  }

  endProfiling(): void {
    this.session.endProfiling();
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  /** Asking a tensor on a device for its numbers ends the process: nobody gets one in hand. */
  private refuseLeftBehind(results: Readonly<Record<string, Tensor>>): void {
    const left = Object.entries(results).flatMap(([output, { location }]) =>
      location === 'cpu' ? [] : [`${output} in its ${location}`],
    );
    if (left.length > 0) {
      for (const tensor of Object.values(results)) {
        tensor.dispose();
      }
      throw new HeadlightError(
        'internal',
        `${DEVICE_NAMES[this.device]} kept results of ${this.name} (${left.join(', ')}), where their numbers cannot be read.`,
      );
    }
  }
}
