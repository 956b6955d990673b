import * as vscode from 'vscode';
import type { CancellationToken, RequestType } from 'vscode-jsonrpc';
import { EngineClient } from '../engine/client';
import {
  DescribeModelRequest,
  LoadModelRequest,
  type LoadProgress,
  LoadProgressNotification,
  ModelReportRequest,
  SuggestRequest,
  TokenizeRequest,
  TraceRequest,
} from '../protocol/engine';
import type { HeadlightError } from '../protocol/errors';
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
 * tokenizer, which must answer while one types, has a process of its own. Each starts when it is first needed.
 */
export class Engine implements vscode.Disposable {
  private readonly modelProcess: EngineClient;
  private readonly tokenizerProcess: EngineClient;
  private onStage: ((stage: LoadProgress['stage']) => void) | null = null;
  private loading: Promise<LoadedModel> | null = null;
  private loadedModel: LoadedModel | null = null;
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly stopped = new vscode.EventEmitter<HeadlightError>();

  /** After a model was loaded or given up. */
  readonly onDidChangeModel = this.changed.event;
  /** After the model's process has ended without being asked to. */
  readonly onDidStop = this.stopped.event;

  constructor(
    entryPoint: string,
    private readonly settings: Settings,
    log: vscode.LogOutputChannel,
  ) {
    this.modelProcess = new EngineClient({
      entryPoint,
      log: (line) => log.info(`[model] ${line}`),
      onStopped: (error) => {
        this.forgetModel();
        this.stopped.fire(error);
      },
    });
    this.modelProcess.onNotification(LoadProgressNotification, ({ stage }) => this.onStage?.(stage));
    this.tokenizerProcess = new EngineClient({ entryPoint, log: (line) => log.info(`[tokenizer] ${line}`) });
  }

  /** The model that is ready for use, or null. */
  get loaded(): LoadedModel | null {
    return this.loadedModel;
  }

  /** Of the process that runs the model, while there is one. */
  get modelProcessId(): number | undefined {
    return this.modelProcess.pid;
  }

  /** The model of the settings, loaded at the first call. */
  load(): Promise<LoadedModel> {
    if (this.loading === null) {
      const { modelDirectory: directory, device } = this.settings;
      const loading = this.modelProcess.request(LoadModelRequest, { directory, device }).then(
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
      const loaded = await this.modelProcess.request(LoadModelRequest, { directory, device }, cancellation);
      this.loading = Promise.resolve(loaded);
      this.loadedModel = loaded;
      this.changed.fire();
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
    return this.ask(TraceRequest, { text }, cancellation);
  }

  /** What may follow a text, from the model of the settings, loading it first where needed. */
  async suggest(params: SuggestParams, cancellation: CancellationToken): Promise<SuggestResult> {
    await this.load();
    return this.ask(SuggestRequest, params, cancellation);
  }

  /** A request about a trace. */
  ask<P, R>(type: RequestType<P, R, unknown>, params: P, cancellation?: CancellationToken): Promise<R> {
    return this.modelProcess.request(type, params, cancellation);
  }

  /** The tokens of `text` that overlap `wanted`. Needs no model, and is not held up by one that runs. */
  tokenize(text: string, wanted: TextRange, cancellation?: CancellationToken): Promise<TokenSplits> {
    const directory = this.settings.modelDirectory;
    return this.tokenizerProcess.request(TokenizeRequest, { directory, text, wanted }, cancellation);
  }

  /** Ends both processes; the next request starts them again. */
  restart(): void {
    this.modelProcess.stop();
    this.tokenizerProcess.stop();
    this.forgetModel();
  }

  /** The settings name another model or device: the next request loads that one, and replaces this one only then. */
  reload(): void {
    this.forgetModel();
  }

  dispose(): void {
    this.restart();
    this.changed.dispose();
    this.stopped.dispose();
  }

  private forgetModel(): void {
    this.loading = null;
    this.loadedModel = null;
    this.changed.fire();
  }
}
