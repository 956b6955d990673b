import path from 'node:path';
import * as vscode from 'vscode';
import { HeadlightError } from '../protocol/errors';
import { LONGEST_TEXT, refuseTooLong } from '../protocol/limits';
import type { PanelSnapshot, PanelStatus, Passage } from '../protocol/panel';
import type { SamplerSettings, Trace } from '../protocol/trace';
import type { Engine } from './engine';
import { TrackedRange } from './tracked-range';

/** Everyday settings: a little below the model's own spread, without its long tail. */
const DEFAULT_SAMPLER: SamplerSettings = { temperature: 0.8, topK: 40, topP: 0.9, minP: 0 };
const SAMPLER_KEY = 'headlight.sampler';
const FOLLOWING_KEY = 'headlight.following';
const ORIGIN_KEY = 'headlight.origin';

/** Where the inspected passage stands, kept so that a reloaded window can show it again. */
interface Origin {
  readonly uri: string;
  readonly start: number;
  readonly end: number;
  readonly upToCaret: boolean;
}

interface Inspected {
  readonly tracked: TrackedRange;
  /** The part of the passage that the model read, as it was then; empty where it could not be read. */
  readonly text: string;
  /** How much of the passage, in UTF-16 code units, did not fit the context and was left out before that part. */
  readonly skipped: number;
  readonly upToCaret: boolean;
  /** What the model has suggested behind the passage; empty where nothing is inspected but the document. */
  readonly generated: string;
}

/**
 * What is being inspected: from a selection to its trace. The latest selection wins: a new one cancels the run that is
 * under way, and an answer that was overtaken is dropped.
 */
export class Inspection implements vscode.Disposable {
  private inspected: Inspected | null = null;
  private status: PanelStatus = { kind: 'empty' };
  /** The run that is under way; one that is no longer this has been overtaken. */
  private current: { readonly source: vscode.CancellationTokenSource; readonly tracked: TrackedRange } | null = null;
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[];

  /** After anything in `snapshot` has changed. */
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly engine: Engine,
    private readonly memory: vscode.Memento,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.subscriptions = [
      vscode.workspace.onDidChangeTextDocument((event) => this.documentChanged(event)),
      engine.onDidChangeModel(() => this.changed.fire()),
      engine.onDidStop(() => this.engineStopped()),
    ];
  }

  /** What the panel shows. */
  get snapshot(): PanelSnapshot {
    const loaded = this.engine.loaded;
    return {
      model: loaded?.model ?? null,
      device: loaded?.device ?? null,
      following: this.following,
      sampler: this.memory.get<SamplerSettings>(SAMPLER_KEY, DEFAULT_SAMPLER),
      passage: this.passage,
      status: this.status,
    };
  }

  /** The trace on the screen, or null while there is none. */
  get trace(): Trace | null {
    return this.status.kind === 'ready' ? this.status.trace : null;
  }

  /** Whether a run is under way. */
  get working(): boolean {
    return this.status.kind === 'working';
  }

  /** Whether the panel follows the editor's selection. */
  get following(): boolean {
    return this.memory.get<boolean>(FOLLOWING_KEY, true);
  }

  set following(following: boolean) {
    void this.memory.update(FOLLOWING_KEY, following).then(() => this.changed.fire());
  }

  set sampler(sampler: SamplerSettings) {
    void this.memory.update(SAMPLER_KEY, sampler).then(() => this.changed.fire());
  }

  /** The inspected document and where a token of the trace stands in it; null where the text there has changed. */
  locate(tokenIndex: number): { document: vscode.TextDocument; range: vscode.Range } | null {
    const token = this.trace?.tokens[tokenIndex];
    if (token === undefined || this.inspected === null || this.inspected.tracked.edited) {
      return null;
    }
    const { document, start, end } = this.inspected.tracked;
    const base = start + this.inspected.skipped;
    if (base + token.end > end) {
      // A suggestion stands nowhere yet.
      return null;
    }
    return {
      document,
      range: new vscode.Range(document.positionAt(base + token.start), document.positionAt(base + token.end)),
    };
  }

  /** The token of the trace that stands at a position of a document, or null. */
  tokenAt(document: vscode.TextDocument, position: vscode.Position): number | null {
    const trace = this.trace;
    if (trace === null || this.inspected?.tracked.document !== document || this.inspected.tracked.edited) {
      return null;
    }
    const offset = document.offsetAt(position) - this.inspected.tracked.start - this.inspected.skipped;
    const index = trace.tokens.findIndex((token) => token.start <= offset && offset < token.end);
    return index >= 0 ? index : null;
  }

  /** Whether just this range is on the screen, or on its way to it. */
  covers(document: vscode.TextDocument, range: vscode.Range): boolean {
    const tracked = this.current?.tracked ?? this.inspected?.tracked;
    return tracked?.document === document && !tracked.edited && tracked.range.isEqual(range);
  }

  /** Inspects what is selected, or with nothing selected the text up to the caret. */
  async inspectSelection(editor: vscode.TextEditor): Promise<void> {
    const { document, selection } = editor;
    await this.inspect(
      document,
      selection.isEmpty ? textUpTo(document, selection.active) : selection,
      selection.isEmpty,
    );
  }

  /** Inspects the text up to a caret together with what the model has suggested there. */
  async inspectSuggestion(document: vscode.TextDocument, caret: vscode.Position, generated: string): Promise<void> {
    await this.inspect(document, textUpTo(document, caret), true, generated);
  }

  /** Inspects the same passage again, as it stands now. */
  async inspectAgain(): Promise<void> {
    if (this.inspected !== null) {
      const { tracked, upToCaret, generated } = this.inspected;
      await this.inspect(tracked.document, tracked.range, upToCaret, generated);
    }
  }

  /** Inspects the passage that was on the screen before the window was reloaded, if it is still there. */
  async restore(): Promise<void> {
    const origin = this.memory.get<Origin>(ORIGIN_KEY);
    if (origin === undefined || this.inspected !== null) {
      return;
    }
    try {
      const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(origin.uri, true));
      const range = new vscode.Range(document.positionAt(origin.start), document.positionAt(origin.end));
      await this.inspect(document, range, origin.upToCaret);
    } catch (error) {
      this.log.info(`The passage inspected last cannot be shown again: ${HeadlightError.from(error).message}`);
    }
  }

  /** Writes a text at the end of the passage and inspects both together. */
  async insertAtEnd(text: string): Promise<void> {
    if (this.inspected === null) {
      return;
    }
    const { tracked, upToCaret, generated } = this.inspected;
    const { document } = tracked;
    const edit = new vscode.WorkspaceEdit();
    const written = generated + text;
    edit.insert(document.uri, document.positionAt(tracked.end), written);
    if (document.isClosed || !(await vscode.workspace.applyEdit(edit))) {
      void vscode.window.showWarningMessage(
        `Headlight could not write to ${path.basename(document.uri.path)}: the document is closed or read-only.`,
      );
      return;
    }
    // The document may turn line ends into its own, so the insertion's length is taken from the document.
    const inserted = document.eol === vscode.EndOfLine.CRLF ? written.replace(/\r?\n/g, '\r\n') : written;
    const end = document.positionAt(tracked.end + inserted.length);
    const range = new vscode.Range(document.positionAt(tracked.start), end);
    const editor = vscode.window.visibleTextEditors.find((candidate) => candidate.document === document);
    if (editor !== undefined) {
      editor.selection = upToCaret ? new vscode.Selection(end, end) : new vscode.Selection(range.start, end);
      editor.revealRange(new vscode.Range(end, end));
    }
    await this.inspect(document, range, upToCaret);
  }

  dispose(): void {
    this.current?.source.cancel();
    this.changed.dispose();
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
  }

  private async inspect(
    document: vscode.TextDocument,
    range: vscode.Range,
    upToCaret: boolean,
    generated = '',
  ): Promise<void> {
    this.current?.source.cancel();
    const run = { source: new vscode.CancellationTokenSource(), tracked: new TrackedRange(document, range) };
    this.current = run;
    const { source, tracked } = run;
    const previous = this.status.kind === 'working' ? this.status.previous : this.trace;
    try {
      refuseTooLong(tracked.end - tracked.start);
      const text = document.getText(range) + generated;
      if (this.engine.loaded === null) {
        this.show({ kind: 'working', activity: 'loading-model', previous });
        await this.engine.load();
      }
      if (this.current !== run) {
        return;
      }
      this.show({ kind: 'working', activity: 'running', previous });
      const trace = await this.engine.trace(text, source.token);
      if (this.current === run) {
        const skipped = trace.tokens[0].start;
        this.inspected = { tracked, text: text.slice(skipped), skipped, upToCaret, generated };
        this.show({ kind: 'ready', trace: countedFrom(skipped, trace) });
        await this.rememberOrigin(tracked, upToCaret);
      }
    } catch (thrown) {
      if (this.current === run) {
        const { code, message } = HeadlightError.from(thrown);
        this.log.error(message);
        this.inspected = { tracked, text: '', skipped: 0, upToCaret, generated };
        this.show({ kind: 'failed', code, message });
      }
    } finally {
      if (this.current === run) {
        this.current = null;
      }
      source.dispose();
    }
  }

  private show(status: PanelStatus): void {
    this.status = status;
    this.changed.fire();
  }

  private get passage(): Passage | null {
    if (this.inspected === null) {
      return null;
    }
    const { tracked, text, skipped, upToCaret, generated } = this.inspected;
    const { document, start, end, edited } = tracked;
    return {
      fileName: path.posix.basename(document.uri.path),
      firstLine: document.positionAt(start + skipped).line + 1,
      lastLine: document.positionAt(end).line + 1,
      text,
      upToCaret,
      generatedFrom: generated === '' || text === '' ? null : Math.max(0, text.length - generated.length),
      edited: edited || document.isClosed,
    };
  }

  private async rememberOrigin({ document, start, end }: TrackedRange, upToCaret: boolean): Promise<void> {
    const origin: Origin = { uri: document.uri.toString(), start, end, upToCaret };
    await this.memory.update(ORIGIN_KEY, origin);
  }

  private documentChanged(event: vscode.TextDocumentChangeEvent): void {
    this.current?.tracked.apply(event);
    if (this.inspected?.tracked.apply(event)) {
      this.changed.fire();
    }
  }

  /** The traces are gone with the process. What was on the screen is computed again; what was under way has failed by itself. */
  private engineStopped(): void {
    if (this.status.kind === 'ready') {
      void this.inspectAgain();
    }
  }
}

/** The range from as far back as is ever read up to the caret. */
function textUpTo(document: vscode.TextDocument, caret: vscode.Position): vscode.Range {
  const end = document.offsetAt(caret);
  return new vscode.Range(document.positionAt(Math.max(0, end - LONGEST_TEXT)), caret);
}

/** The trace with offsets that count from where the part that the model read begins. */
function countedFrom(skipped: number, trace: Trace): Trace {
  if (skipped === 0) {
    return trace;
  }
  const tokens = trace.tokens.map((token) => ({ ...token, start: token.start - skipped, end: token.end - skipped }));
  return { ...trace, tokens };
}
