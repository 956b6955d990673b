import type { CancellationToken } from 'vscode-jsonrpc';
import { DEVICE_NAMES, type Device } from '../../protocol/device';
import { DeviceRunNotification, type LoadModelParams, LoadModelRequest } from '../../protocol/engine';
import { HeadlightError } from '../../protocol/errors';
import type { LoadedModel } from '../../protocol/model';
import { EngineClient, type EngineClientOptions } from '../client';

/** How long a device may take before it counts as hanging, in milliseconds. */
export interface Patience {
  /** Opening the model. */
  readonly opening: number;
  /** A run, however few tokens it reads. */
  readonly run: number;
  /** So much more for each token that is read. */
  readonly token: number;
}

/** Time is counted in these, so that a computer that sleeps meanwhile, or a debugger that holds this process, uses up one. */
const TICK_MS = 250;

/**
 * The process that runs a model. A driver may hold it up for ever, and with it the event loop there: so it is timed from here,
 * each run by how much it reads. Where it takes too long it is ended, and all that was asked of it fails with `device-lost`.
 */
export class ModelProcess extends EngineClient {
  private ticking: NodeJS.Timeout | undefined;
  private device: Device = 'cpu';
  private patience: Patience | null = null;

  constructor(options: EngineClientOptions) {
    super(options);
    this.onNotification(DeviceRunNotification, ({ tokens }) => {
      if (tokens === null) {
        this.rest();
      } else if (this.patience !== null) {
        this.expect('a run', this.patience.run + this.patience.token * tokens);
      }
    });
  }

  /**
   * Loads a model on a device.
   *
   * @param patience null for the processor, which always comes back
   * @throws HeadlightError what the engine answered, `device-lost` where it does not, `engine-stopped`, `cancelled`
   */
  async load(
    params: LoadModelParams,
    patience: Patience | null,
    cancellation?: CancellationToken,
  ): Promise<LoadedModel> {
    this.device = params.device.device;
    this.patience = patience;
    if (patience !== null) {
      this.expect('opening the model', patience.opening);
    }
    try {
      return await this.request(LoadModelRequest, params, cancellation);
    } finally {
      this.rest();
    }
  }

  override stop(why?: HeadlightError): void {
    this.rest();
    super.stop(why);
  }

  /** From now on the process may be silent for so long. */
  private expect(what: string, limitMs: number): void {
    this.rest();
    let left = Math.ceil(limitMs / TICK_MS);
    this.ticking = setInterval(() => {
      left--;
      if (left < 0) {
        this.rest();
        const seconds = Math.round(limitMs / 1000).toLocaleString('en-US');
        const sentence = `${DEVICE_NAMES[this.device]} does not answer any more: ${what} took longer than ${seconds} s`;
        this.stop(new HeadlightError('device-lost', sentence));
      }
    }, TICK_MS);
  }

  private rest(): void {
    clearInterval(this.ticking);
  }
}
