import { isDeepStrictEqual } from 'node:util';
import {
  type CancellationToken,
  CancellationTokenSource,
  type NotificationType,
  type RequestType,
} from 'vscode-jsonrpc';
import { DEVICE_NAMES, type Device, type DeviceChoice } from '../../protocol/device';
import { HeadlightError } from '../../protocol/errors';
import type { LoadedModel } from '../../protocol/model';
import { type EngineClientOptions, STOPPED } from '../client';
import type { Chosen, DeviceChooser } from './device-chooser';
import { ModelProcess } from './model-process';

export interface ModelHostOptions extends Omit<EngineClientOptions, 'env'> {
  readonly chooser: DeviceChooser;
  /** Called with a sentence for people: the model does not run where it was asked to, or no longer does. */
  readonly onNotice: (sentence: string) => void;
  /** Called when the model was loaded again, on another device. All traces are gone. */
  readonly onMoved: (loaded: LoadedModel) => void;
  /** Called when it has turned out why the model runs on the processor, as `DeviceStatus.reason`. */
  readonly onReason?: (reason: string | null) => void;
}

interface Running {
  readonly wanted: Wanted;
  readonly device: Device;
}

interface Wanted {
  readonly directory: string;
  readonly choice: DeviceChoice;
}

/**
 * The process that runs the model, on the device that was chosen for it. When that device is lost, with the process or
 * without it, the model moves to the processor, and what was asked is asked again there.
 *
 * A model that replaces another is loaded in a process of its own, and the one before ends with its process: the runtime
 * does not give all of a model's memory back.
 */
export class ModelHost {
  private client: ModelProcess;
  /** In which a model is loaded that will replace the one in use. */
  private replacement: ModelProcess | null = null;
  private readonly listeners: ((client: ModelProcess) => void)[] = [];
  private loaded: Running | null = null;
  private loading: { readonly wanted: Wanted; readonly result: Promise<LoadedModel> } | null = null;
  /** Why a device is not used again before the next `restart`. */
  private readonly lost = new Map<Device, string>();
  private moving: Promise<void> | null = null;
  /** Ends the trials that go on behind a model in use. */
  private trials: CancellationTokenSource | null = null;
  /** Requests that are under way, and who waits for there to be none. */
  private asked = 0;
  private readonly waiting: (() => void)[] = [];
  /** Of the process that was started last. */
  private environment: NodeJS.ProcessEnv = {};

  constructor(private readonly options: ModelHostOptions) {
    this.client = this.createClient();
  }

  /** Of the process that is up, if there is one. */
  get pid(): number | undefined {
    return this.client.pid;
  }

  onNotification<P>(type: NotificationType<P>, handler: (params: P) => void): void {
    const listen = (client: ModelProcess) => client.onNotification(type, handler);
    this.listeners.push(listen);
    listen(this.client);
  }

  /**
   * Loads a model on the device that is chosen for it. The one before stays in use until this one is ready, and if it cannot
   * be loaded.
   *
   * @param onTry before a device is tried, which takes a while
   * @throws HeadlightError `cancelled`, or why the model cannot be used
   */
  load(
    directory: string,
    choice: DeviceChoice,
    cancellation?: CancellationToken,
    onTry?: (device: Device) => void,
  ): Promise<LoadedModel> {
    this.endTrials();
    const wanted = { directory, choice };
    const { loading } = this;
    if (cancellation === undefined && loading?.wanted.directory === directory && loading.wanted.choice === choice) {
      return loading.result;
    }
    const result = this.loadNow(wanted, cancellation, onTry).finally(() => {
      if (this.loading?.result === result) {
        this.loading = null;
      }
    });
    if (cancellation === undefined) {
      this.loading = { wanted, result };
    }
    return result;
  }

  /**
   * As `load` with `auto`, where nothing has to be tried. Otherwise the model is loaded on the processor at once, devices are
   * tried while it is used, and it moves to the one that proves itself.
   *
   * @param onTry before a device is tried; with null once all are
   */
  async loadAtOnce(directory: string, onTry: (device: Device | null) => void): Promise<LoadedModel> {
    const isLost = this.lost.size > 0;
    if (isLost || (await this.options.chooser.remembered(directory, 'auto')) !== null) {
      return this.load(directory, 'auto');
    }
    const loaded = await this.load(directory, 'cpu');
    const { loaded: running } = this;
    if (running?.wanted.directory === directory) {
      void this.tryBehind(running, onTry);
    }
    return loaded;
  }

  /** Finds the device for a model that runs on the processor meanwhile, and moves it there. */
  private async tryBehind(running: Running, onTry: (device: Device | null) => void): Promise<void> {
    const { chooser, log, onNotice, onReason, onMoved } = this.options;
    const trials = new CancellationTokenSource();
    this.endTrials();
    this.trials = trials;
    const isWanted = () => this.trials === trials && this.loaded === running;
    const { directory } = running.wanted;
    try {
      const chosen = await chooser.choose(directory, 'auto', trials.token, (device) => isWanted() && onTry(device));
      if (!isWanted()) {
        return;
      }
      if (chosen.notice !== null) {
        onNotice(chosen.notice);
      }
      if (chosen.device === 'cpu') {
        onReason?.(chosen.reason);
        return;
      }
      try {
        onMoved(await this.loadOn({ directory, choice: 'auto' }, chosen, trials.token, true));
      } catch (error) {
        const why = failureOf(chosen.device, error);
        if (why === null) {
          throw error;
        }
        this.lost.set(chosen.device, why);
        onReason?.(why);
      }
    } catch (error) {
      // The model is in use, whatever became of the trials.
      log(`no other device is used: ${HeadlightError.from(error).message}`);
    } finally {
      if (this.trials === trials) {
        this.trials = null;
        onTry(null);
      }
      trials.dispose();
    }
  }

  private endTrials(): void {
    this.trials?.cancel();
    this.trials = null;
  }

  /** @throws HeadlightError what the engine answered, or `engine-stopped`, or `cancelled` */
  async request<P, R>(type: RequestType<P, R, unknown>, params: P, cancellation?: CancellationToken): Promise<R> {
    this.asked++;
    try {
      return await this.ask(type, params, cancellation);
    } finally {
      this.asked--;
      if (this.asked === 0) {
        for (const wake of this.waiting.splice(0)) {
          wake();
        }
      }
    }
  }

  private async ask<P, R>(type: RequestType<P, R, unknown>, params: P, cancellation?: CancellationToken): Promise<R> {
    await this.moving;
    const { loaded } = this;
    try {
      return await this.client.request(type, params, cancellation);
    } catch (error) {
      if (loaded === null || loaded.device === 'cpu' || failureOf(loaded.device, error) === null) {
        throw error;
      }
      this.lose(error);
      await this.move(loaded.wanted);
      return this.client.request(type, params, cancellation);
    }
  }

  /** The settings have changed: devices may be used again that were lost, and libraries lie elsewhere. */
  reconsider(): void {
    this.endTrials();
    this.lost.clear();
    if (!isDeepStrictEqual(this.environment, this.options.chooser.environment)) {
      this.loaded = null;
      this.client.stop();
    }
  }

  /** Ends the process now, in mid-run if need be, and lets devices be used again that were lost. */
  restart(): void {
    this.loaded = null;
    this.loading = null;
    this.endTrials();
    this.lost.clear();
    this.replacement?.stop();
    this.client.stop();
  }

  private createClient(): ModelProcess {
    const { entryPoint, log, chooser, onStopped } = this.options;
    const client = new ModelProcess({
      entryPoint,
      log,
      env: () => {
        this.environment = chooser.environment;
        return this.environment;
      },
      onStopped: (error) => {
        if (client === this.client) {
          this.lose(error);
          onStopped?.(error);
        }
      },
    });
    for (const listen of this.listeners) {
      listen(client);
    }
    return client;
  }

  private async loadNow(
    wanted: Wanted,
    cancellation: CancellationToken | undefined,
    onTry: ((device: Device) => void) | undefined,
  ): Promise<LoadedModel> {
    const chosen = await this.choose(wanted, cancellation, onTry);
    if (chosen.notice !== null) {
      this.options.onNotice(chosen.notice);
    }
    try {
      return await this.loadOn(wanted, chosen, cancellation);
    } catch (error) {
      const why = chosen.device === 'cpu' ? null : failureOf(chosen.device, error);
      if (why === null) {
        throw error;
      }
      this.lost.set(chosen.device, why);
      this.options.onNotice(movedSentence(why));
      return this.loadOn(wanted, { device: 'cpu', reason: why, patience: null }, cancellation);
    }
  }

  private async choose(
    { directory, choice }: Wanted,
    cancellation: CancellationToken | undefined,
    onTry: ((device: Device) => void) | undefined,
  ): Promise<Chosen> {
    const lost = [...this.lost.values()];
    if (lost.length > 0 && (choice === 'auto' || this.lost.has(choice))) {
      return { device: 'cpu', reason: lost.join('; '), notice: null, patience: null };
    }
    return this.options.chooser.choose(directory, choice, cancellation, onTry);
  }

  /** @param waits where the model in use is replaced, until nothing is asked of it any more */
  private async loadOn(
    wanted: Wanted,
    { device, reason, patience }: Omit<Chosen, 'notice'>,
    cancellation?: CancellationToken,
    waits = false,
  ): Promise<LoadedModel> {
    const params = { directory: wanted.directory, device: { device, reason } };
    const client = this.loaded === null ? this.client : this.createClient();
    const replaces = client !== this.client;
    if (replaces) {
      this.replacement?.stop(new HeadlightError('cancelled', 'Another model was chosen meanwhile.'));
      this.replacement = client;
    }
    try {
      const loaded = await client.load(params, patience, cancellation);
      if (replaces) {
        if (waits) {
          await this.untilNothingIsAsked(client);
        }
        const before = this.client;
        this.client = client;
        before.stop(new HeadlightError('cancelled', 'Another model was loaded meanwhile.'));
      }
      this.loaded = { wanted, device };
      return loaded;
    } catch (error) {
      if (replaces) {
        client.stop();
      }
      throw error;
    } finally {
      if (this.replacement === client) {
        this.replacement = null;
      }
    }
  }

  /** @throws HeadlightError `cancelled` where another replacement has come before this one */
  private async untilNothingIsAsked(replacement: ModelProcess): Promise<void> {
    while (this.asked > 0) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    if (this.replacement !== replacement) {
      throw new HeadlightError('cancelled', 'Another model was chosen meanwhile.');
    }
  }

  /** Takes note, once, that the device is gone that the model runs on. */
  private lose(error: unknown): void {
    const device = this.loaded?.device ?? 'cpu';
    const why = device === 'cpu' ? null : failureOf(device, error);
    if (why === null) {
      return;
    }
    this.lost.set(device, why);
    this.loaded = null;
    this.options.onNotice(movedSentence(why));
    // What is left of a driver in the process is not to be trusted; what else was asked of it fails for the same reason.
    this.client.stop(HeadlightError.from(error));
  }

  private move({ directory, choice }: Wanted): Promise<void> {
    this.moving ??= this.load(directory, choice)
      .then((loaded) => this.options.onMoved(loaded))
      .finally(() => {
        this.moving = null;
      });
    return this.moving;
  }
}

/** Why a device cannot be used any more, as a phrase; null for a failure that is not the device's. */
function failureOf(device: Device, error: unknown): string | null {
  const { code, message } = HeadlightError.from(error);
  switch (code) {
    case 'device-lost':
    case 'device-unavailable':
      return message;
    case 'engine-stopped':
      return message === STOPPED
        ? null
        : `${DEVICE_NAMES[device]} was lost while it ran (${message.replace(/^The engine/, 'the engine').replace(/\.$/, '')})`;
    default:
      return null;
  }
}

function movedSentence(why: string): string {
  return `Headlight runs the model on the processor from now on: ${why}.`;
}
