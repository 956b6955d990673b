import * as vscode from 'vscode';
import type { CancellationToken, RequestType } from 'vscode-jsonrpc';
import { EngineClient } from '../engine/client';
import { type DeviceCheck, DeviceChooser } from '../engine/devices/device-chooser';
import { ModelHost } from '../engine/devices/model-host';
import { DEVICE_NAMES, type Device } from '../protocol/device';
import {
  DescribeModelRequest,
  type LoadProgress,
  LoadProgressNotification,
  ModelReportRequest,
  SuggestRequest,
  TokenizeRequest,
  TraceRequest,
} from '../protocol/engine';
import type { LoadedModel, ModelDescription, ModelReport } from '../protocol/model';
import type { SuggestParams, SuggestResult } from '../protocol/suggestion';
import type { TextRange, TokenSplits } from '../protocol/tokens';
import type { Trace } from '../protocol/trace';
import type { Settings } from './settings';

/** The stages of loading, for people. */
const STAGES: Readonly<Record<LoadProgress['stage'], string>> = {
  reading: 'reading its files',
  analysing: 'finding its attention',
  starting: 'starting it',
};

/**
 * The engine as the editor uses it: two processes of the same program. A running model blocks its process, so the
 * tokenizer, which must answer while one types, has a process of its own. Each starts when it is first needed. Devices are
 * tried in a third, which ends with the trial.
 */
export class Engine implements vscode.Disposable {
  private readonly modelProcess: ModelHost;
  private readonly tokenizerProcess: EngineClient;
  private readonly chooser: DeviceChooser;
  private readonly told = new Set<string>();
  private onStage: ((stage: LoadProgress['stage']) => void) | null = null;
  private loading: Promise<LoadedModel> | null = null;
  private loadedModel: LoadedModel | null = null;
  private triedDevice: Device | null = null;
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly triedChanged = new vscode.EventEmitter<void>();
  private readonly stopped = new vscode.EventEmitter<void>();
  private readonly noticed = new vscode.EventEmitter<string>();

  /** After a model was loaded or given up, or is given other tokens for the same text. */
  readonly onDidChangeModel = this.changed.event;
  /** After a trial of a device has begun or ended. */
  readonly onDidChangeTrying = this.triedChanged.event;
  /** After the model's process has ended without being asked to, or the model has moved to another: all traces are gone. */
  readonly onDidStop = this.stopped.event;
  /** Something about the device that a person should hear, as a sentence; each once. */
  readonly onNotice = this.noticed.event;

  constructor(
    entryPoint: string,
    private readonly settings: Settings,
    storage: string,
    log: vscode.LogOutputChannel,
  ) {
    this.chooser = new DeviceChooser({
      entryPoint,
      storage,
      log: (line) => log.info(`[device] ${line}`),
      cudaFolder: () => settings.cudaFolder,
    });
    this.modelProcess = new ModelHost({
      entryPoint,
      chooser: this.chooser,
      log: (line) => log.info(`[model] ${line}`),
      onStopped: () => {
        this.forgetModel();
        this.stopped.fire();
      },
      onNotice: (sentence) => {
        log.warn(sentence);
        if (!this.told.has(sentence)) {
          this.told.add(sentence);
          this.noticed.fire(sentence);
        }
      },
      onMoved: (loaded) => {
        this.use(loaded);
        this.stopped.fire();
      },
      onReason: (reason) => {
        if (this.loadedModel !== null) {
          this.use({ ...this.loadedModel, device: { device: 'cpu', reason } });
        }
      },
    });
    this.modelProcess.onNotification(LoadProgressNotification, ({ stage }) => {
      // Loading comes after the trials.
      this.trying = null;
      this.onStage?.(stage);
    });
    this.tokenizerProcess = new EngineClient({ entryPoint, log: (line) => log.info(`[tokenizer] ${line}`) });
  }

  /** The model that is ready for use, or null. */
  get loaded(): LoadedModel | null {
    return this.loadedModel;
  }

  /** The device that is being tried with the model, or null. */
  get trying(): Device | null {
    return this.triedDevice;
  }

  private set trying(device: Device | null) {
    if (this.triedDevice !== device) {
      this.triedDevice = device;
      this.triedChanged.fire();
    }
  }

  /** Of the process that runs the model, while there is one. */
  get modelProcessId(): number | undefined {
    return this.modelProcess.pid;
  }

  /** The model of the settings, loaded at the first call. */
  load(): Promise<LoadedModel> {
    if (this.loading === null) {
      const { modelDirectory: directory, device } = this.settings;
      const onTry = (tried: Device) => {
        if (this.loading === loading) {
          this.trying = tried;
        }
      };
      const behind = (tried: Device | null) => {
        this.trying = tried;
      };
      // Who names a device waits for it; nobody has asked for those that `auto` tries.
      const asked =
        device === 'auto'
          ? this.modelProcess.loadAtOnce(directory, behind)
          : this.modelProcess.load(directory, device, undefined, onTry);
      const loading = asked.then(
        (loaded) => {
          if (this.loading === loading) {
            this.loadedModel = loaded;
            this.changed.fire();
          }
          return loaded;
        },
        (error) => {
          // The next request tries again.
          if (this.loading === loading) {
            this.forgetModel();
          }
          throw error;
        },
      );
      this.loading = loading;
    }
    return this.loading;
  }

  /**
   * Loads another model. The one in use stays in use until the new one is ready, and if it cannot be loaded.
   *
   * @param onStage what is being done
   * @throws HeadlightError `cancelled`, or why the model cannot be used
   */
  async replaceModel(
    directory: string,
    cancellation: CancellationToken,
    onStage: (stage: string) => void,
  ): Promise<LoadedModel> {
    this.onStage = (stage) => onStage(STAGES[stage]);
    try {
      const { device } = this.settings;
      const onTry = (tried: Device) => onStage(`trying ${DEVICE_NAMES[tried]} with it`);
      const loaded = await this.modelProcess.load(directory, device, cancellation, onTry);
      this.use(loaded);
      return loaded;
    } finally {
      this.onStage = null;
    }
  }

  /** What a model folder holds, without loading it. */
  describe(directory: string): Promise<ModelDescription> {
    return this.tokenizerProcess.request(DescribeModelRequest, { directory });
  }

  /** What the analysis found in the model, which is loaded first where needed. */
  async report(): Promise<ModelReport> {
    await this.load();
    return this.modelProcess.request(ModelReportRequest, {});
  }

  /** Runs the model over a text, loading it first where needed. */
  async trace(text: string, cancellation: CancellationToken): Promise<Trace> {
    await this.load();
    return this.ask(TraceRequest, { text, readsSpecial: this.settings.readsSpecialTokens }, cancellation);
  }

  /** What may follow a text, from the model of the settings, loading it first where needed. */
  async suggest(params: SuggestParams, cancellation: CancellationToken): Promise<SuggestResult> {
    await this.load();
    return this.ask(SuggestRequest, { ...params, readsSpecial: this.settings.readsSpecialTokens }, cancellation);
  }

  /** Tries a device with the model of the settings, and finds out all there is to know. Nothing that runs is touched. */
  checkDevice(device: Device, cancellation: CancellationToken): Promise<DeviceCheck> {
    return this.chooser.check(this.settings.modelDirectory, device, cancellation);
  }

  /** A request about a trace. */
  ask<P, R>(type: RequestType<P, R, unknown>, params: P, cancellation?: CancellationToken): Promise<R> {
    return this.modelProcess.request(type, params, cancellation);
  }

  /** The tokens of `text` that overlap `wanted`. Needs no model, and is not held up by one that runs. */
  tokenize(text: string, wanted: TextRange, cancellation?: CancellationToken): Promise<TokenSplits> {
    const { modelDirectory: directory, readsSpecialTokens: readsSpecial } = this.settings;
    return this.tokenizerProcess.request(TokenizeRequest, { directory, text, wanted, readsSpecial }, cancellation);
  }

  /** Ends both processes; the next request starts them again. */
  restart(): void {
    this.modelProcess.restart();
    this.tokenizerProcess.stop();
    this.forgetModel();
  }

  /** The settings name another model or device: the next request loads that one, and replaces this one only then. */
  reload(): void {
    this.modelProcess.reconsider();
    this.forgetModel();
  }

  /** The settings say otherwise what a text is to the model. */
  readAgain(): void {
    this.changed.fire();
  }

  dispose(): void {
    this.restart();
    this.changed.dispose();
    this.triedChanged.dispose();
    this.stopped.dispose();
    this.noticed.dispose();
  }

  private use(loaded: LoadedModel): void {
    this.loading = Promise.resolve(loaded);
    this.loadedModel = loaded;
    this.changed.fire();
  }

  private forgetModel(): void {
    this.loading = null;
    this.loadedModel = null;
    this.trying = null;
    this.changed.fire();
  }
}
