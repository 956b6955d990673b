import path from 'node:path';
import * as vscode from 'vscode';
import { type Branch, type BranchPath, BranchRequest } from '../protocol/continuation';
import { HeadlightError } from '../protocol/errors';
import { LONGEST_TEXT, refuseTooLong } from '../protocol/limits';
import type { PanelSnapshot, PanelStatus, Passage, PassageSymbol } from '../protocol/panel';
import type { SamplerSettings, Trace } from '../protocol/trace';
import type { Engine } from './engine';
import { passageSymbols } from './passage-symbols';
import { TrackedRange } from './tracked-range';

/** Everyday settings: a little below the model's own spread, without its long tail. */
const DEFAULT_SAMPLER: SamplerSettings = { temperature: 0.8, topK: 40, topP: 0.9, minP: 0 };
const SAMPLER_KEY = 'headlight.sampler';
const FOLLOWING_KEY = 'headlight.following';
const ORIGIN_KEY = 'headlight.origin';

/** A branch of a passage of these tokens. */
interface BranchOf {
  readonly root: readonly number[];
  readonly path: BranchPath;
}

/** Where the inspected passage stands, kept so that a reloaded window can show it again. */
interface Origin {
  readonly uri: string;
  readonly start: number;
  readonly end: number;
  readonly upToCaret: boolean;
  readonly suggested: string;
  readonly branch: BranchOf | null;
}

/** How a passage is inspected. */
interface Manner {
  /** Nothing was selected: it is the text up to the caret. */
  readonly upToCaret: boolean;
  /** What the model has suggested behind it. */
  readonly suggested?: string;
  /** Shown in its place, if it still is one of the same tokens. */
  readonly branch?: BranchOf | null;
}

interface Inspected {
  readonly tracked: TrackedRange;
  readonly upToCaret: boolean;
  /** What the document had there; empty where it could not be read. */
  readonly written: string;
  /** What the model has suggested behind it. */
  readonly suggested: string;
  /** The trace of both, its offsets from the passage's start; null where there is none. */
  readonly root: Trace | null;
  readonly branch: BranchOf | null;
  /** What is shown: `written` and `suggested`, or what the branch makes of them. */
  readonly text: string;
  /** How much of `text` stands in the document, in UTF-16 code units. */
  readonly standing: number;
  /** How much of `text` did not fit the context and was left out before the part that the model read. */
  readonly skipped: number;
}

/** What is inspected now, and the trace that is shown of it. */
interface Shown {
  readonly inspected: Inspected;
  readonly trace: Trace;
}

/** A run that is under way. */
interface Run {
  readonly source: vscode.CancellationTokenSource;
  /** What it is of, as far as that is known before it ends. */
  readonly of: Inspected;
  /** Resolves when it has ended, however it did. */
  readonly ended: Promise<void>;
}

/**
 * What is being inspected: from a selection to its trace. The latest selection wins: a new one cancels the run that is
 * under way, and an answer that was overtaken is dropped.
 */
export class Inspection implements vscode.Disposable {
  private inspected: Inspected | null = null;
  private status: PanelStatus = { kind: 'empty' };
  /** The run that is under way; one that is no longer this has been overtaken. */
  private current: Run | null = null;
  /** Whether the model, or how it reads a text, may be another one since the last run began. */
  private outdated = false;
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
      engine.onDidChangeModel(() => {
        this.outdated = true;
        this.changed.fire();
      }),
      engine.onDidChangeTrying(() => this.changed.fire()),
      engine.onDidStop(() => this.engineStopped()),
    ];
  }

  /** What the panel shows. */
  get snapshot(): PanelSnapshot {
    const loaded = this.engine.loaded;
    return {
      model: loaded?.model ?? null,
      device: loaded?.device ?? null,
      trying: this.engine.trying,
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
    const { document, start } = this.inspected.tracked;
    const { skipped, standing } = this.inspected;
    const base = start + skipped;
    if (skipped + token.end > standing) {
      // What the model has written stands nowhere yet.
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
    const { tracked, skipped, standing } = this.inspected;
    const offset = document.offsetAt(position) - tracked.start;
    if (offset >= standing) {
      return null;
    }
    const index = trace.tokens.findIndex(({ start, end }) => start <= offset - skipped && offset - skipped < end);
    return index >= 0 ? index : null;
  }

  /** The inspected document; null before anything was inspected. */
  get document(): vscode.Uri | null {
    return this.inspected?.tracked.document.uri ?? null;
  }

  /** The symbols that the editor knows in the passage on the screen; none where the document has changed since. */
  async symbols(): Promise<readonly PassageSymbol[]> {
    if (this.inspected === null || this.inspected.tracked.edited || this.inspected.tracked.document.isClosed) {
      return [];
    }
    const { tracked, skipped } = this.inspected;
    return passageSymbols(tracked.document, tracked.start + skipped, tracked.end);
  }

  /** Whether just this range is on the screen, or on its way to it. */
  covers(document: vscode.TextDocument, range: vscode.Range): boolean {
    const tracked = (this.current?.of ?? this.inspected)?.tracked;
    return tracked?.document === document && !tracked.edited && tracked.range.isEqual(range);
  }

  /**
   * Inspects what is selected, or with nothing selected the text up to the caret. What is on the screen already is not read
   * again, and what is on its way to it is waited for.
   */
  async inspectSelection(editor: vscode.TextEditor): Promise<void> {
    const { document, selection } = editor;
    const upToCaret = selection.isEmpty;
    const range = upToCaret ? textUpTo(document, selection.active) : selection;
    const isSame = (inspected: Inspected | null) =>
      inspected !== null &&
      this.covers(document, range) &&
      inspected.upToCaret === upToCaret &&
      inspected.suggested === '' &&
      inspected.branch === null;
    if (this.current !== null && isSame(this.current.of)) {
      await this.current.ended;
    } else if (this.current !== null || this.trace === null || this.outdated || !isSame(this.inspected)) {
      await this.inspect(document, range, { upToCaret });
    }
  }

  /** Inspects the text up to a caret together with what the model has suggested there. */
  async inspectSuggestion(document: vscode.TextDocument, caret: vscode.Position, suggested: string): Promise<void> {
    await this.inspect(document, textUpTo(document, caret), { upToCaret: true, suggested });
  }

  /** Inspects the same passage again, as it stands now. */
  async inspectAgain(): Promise<void> {
    if (this.inspected !== null) {
      const { tracked, upToCaret, suggested, branch } = this.inspected;
      await this.inspect(tracked.document, tracked.range, { upToCaret, suggested, branch });
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
      await this.inspect(document, range, origin);
    } catch (error) {
      this.log.info(`The passage inspected last cannot be shown again: ${HeadlightError.from(error).message}`);
    }
  }

  /**
   * Shows how a passage goes on another way; with null the passage itself. Nothing where another one is inspected by now.
   *
   * @param rootId of the trace of the passage that is meant
   */
  async showBranch(rootId: number, path: BranchPath | null): Promise<void> {
    const { inspected } = this;
    if (inspected === null || inspected.root?.id !== rootId) {
      return;
    }
    const branch = path === null ? null : { root: idsOf(inspected.root), path };
    const next = { ...inspected, branch };
    await this.run(next, (cancellation) => this.read(next, cancellation));
  }

  /** Writes a branch of a passage into the document, in the place of what it has instead, and inspects the passage as it then is. */
  async insertBranch(rootId: number, path: BranchPath): Promise<void> {
    const isShown = () => this.status.kind === 'ready' && isSamePath(this.inspected?.branch?.path, path);
    if (!this.isInspected(rootId)) {
      this.refuseToWrite();
      return;
    }
    if (!isShown()) {
      await this.showBranch(rootId, path);
    }
    // The id is another one where the engine had forgotten the passage and read it again.
    const root = this.inspected?.root;
    if (root && isShown()) {
      await this.insertAtEnd(root.id, '');
    }
  }

  /** Writes a text at the end of a passage, and what the model has written before it, and inspects all together. */
  async insertAtEnd(rootId: number, text: string): Promise<void> {
    if (this.inspected === null) {
      return;
    }
    if (!this.isInspected(rootId)) {
      this.refuseToWrite();
      return;
    }
    const { tracked, upToCaret, written, standing, text: shown } = this.inspected;
    const { document } = tracked;
    const name = path.basename(document.uri.path);
    const replaced = written.length - standing;
    if (tracked.edited && replaced > 0) {
      void vscode.window.showWarningMessage(
        `Headlight did not write to ${name}: the passage has changed since it was read; inspect it again.`,
      );
      return;
    }
    const edit = new vscode.WorkspaceEdit();
    const added = shown.slice(standing) + text;
    const from = document.positionAt(tracked.end - replaced);
    edit.replace(document.uri, new vscode.Range(from, document.positionAt(tracked.end)), added);
    const { start, end: endBefore } = tracked;
    if (document.isClosed || !(await vscode.workspace.applyEdit(edit))) {
      void vscode.window.showWarningMessage(
        `Headlight could not write to ${name}: the document is closed or read-only.`,
      );
      return;
    }
    // The document may turn line ends into its own, so the insertion's length is taken from the document.
    const inserted = document.eol === vscode.EndOfLine.CRLF ? added.replace(/\r?\n/g, '\r\n') : added;
    const end = document.positionAt(endBefore - replaced + inserted.length);
    const range = new vscode.Range(document.positionAt(start), end);
    const editor = vscode.window.visibleTextEditors.find((candidate) => candidate.document === document);
    if (editor !== undefined) {
      editor.selection = upToCaret ? new vscode.Selection(end, end) : new vscode.Selection(range.start, end);
      editor.revealRange(new vscode.Range(end, end));
    }
    await this.inspect(document, range, { upToCaret });
  }

  dispose(): void {
    this.current?.source.cancel();
    this.changed.dispose();
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
  }

  private refuseToWrite(): void {
    void vscode.window.showWarningMessage(
      'Headlight did not write to the document: another passage has been inspected meanwhile; choose again what to write.',
    );
  }

  /** Whether what was asked for is meant for this passage; one that came before it may have other text there. */
  private isInspected(rootId: number): boolean {
    return this.inspected?.root?.id === rootId;
  }

  private async inspect(document: vscode.TextDocument, range: vscode.Range, manner: Manner): Promise<void> {
    const { upToCaret, suggested = '', branch = null } = manner;
    const tracked = new TrackedRange(document, range);
    const nothing = {
      tracked,
      upToCaret,
      suggested,
      branch,
      written: '',
      text: '',
      standing: 0,
      skipped: 0,
      root: null,
    };
    await this.run(nothing, async (cancellation) => {
      refuseTooLong(tracked.end - tracked.start);
      return this.read({ ...nothing, written: document.getText(range) }, cancellation);
    });
  }

  /** Runs the model over a passage, or over the branch of it that is to be shown. */
  private async read(inspected: Inspected, cancellation: vscode.CancellationToken): Promise<Shown> {
    const { branch, root } = inspected;
    if (branch !== null && root !== null) {
      try {
        const params = { traceId: root.id, ...branch.path };
        return branched(inspected, branch, await this.engine.ask(BranchRequest, params, cancellation));
      } catch (thrown) {
        // The engine remembers the newest passages only.
        if (HeadlightError.from(thrown).code !== 'trace-unknown') {
          throw thrown;
        }
      }
    }
    const trace = await this.engine.trace(inspected.written + inspected.suggested, cancellation);
    const anew = { ...inspected, root: trace };
    return branch === null || !isOf(trace, branch)
      ? unbranched(anew, trace)
      : branched(
          anew,
          branch,
          await this.engine.ask(BranchRequest, { traceId: trace.id, ...branch.path }, cancellation),
        );
  }

  /**
   * Shows what comes of some work, unless it is overtaken.
   *
   * @param of what is inspected where nothing comes of it
   */
  private async run(of: Inspected, work: (cancellation: vscode.CancellationToken) => Promise<Shown>): Promise<void> {
    this.current?.source.cancel();
    const source = new vscode.CancellationTokenSource();
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const run: Run = { source, of, ended };
    this.current = run;
    const previous = this.status.kind === 'working' ? this.status.previous : this.trace;
    try {
      if (this.engine.loaded === null) {
        this.show({ kind: 'working', activity: 'loading-model', previous });
        await this.engine.load();
      }
      if (this.current !== run) {
        return;
      }
      this.outdated = false;
      this.show({ kind: 'working', activity: 'running', previous });
      const { inspected, trace } = await work(source.token);
      if (this.current === run) {
        this.inspected = inspected;
        this.show({ kind: 'ready', trace: countedFrom(inspected.skipped, trace) });
        await this.rememberOrigin(inspected);
      }
    } catch (thrown) {
      if (this.current === run) {
        const { code, message } = HeadlightError.from(thrown);
        this.log.error(message);
        this.inspected = of;
        this.show({ kind: 'failed', code, message });
      }
    } finally {
      if (this.current === run) {
        this.current = null;
      }
      source.dispose();
      end();
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
    const { tracked, text, standing, skipped, upToCaret, branch, root } = this.inspected;
    const { document, start, end, edited } = tracked;
    return {
      fileName: path.posix.basename(document.uri.path),
      firstLine: document.positionAt(start + skipped).line + 1,
      lastLine: document.positionAt(end).line + 1,
      text: text.slice(skipped),
      upToCaret,
      generatedFrom: standing === text.length ? null : Math.max(0, standing - skipped),
      root: branch === null ? null : root,
      edited: edited || document.isClosed,
    };
  }

  private async rememberOrigin({ tracked, upToCaret, suggested, branch }: Inspected): Promise<void> {
    const { document, start, end } = tracked;
    const origin: Origin = { uri: document.uri.toString(), start, end, upToCaret, suggested, branch };
    await this.memory.update(ORIGIN_KEY, origin);
  }

  private documentChanged(event: vscode.TextDocumentChangeEvent): void {
    this.current?.of.tracked.apply(event);
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

function unbranched(inspected: Inspected, trace: Trace): Shown {
  const { written, suggested } = inspected;
  const [text, standing, skipped] = [written + suggested, written.length, trace.tokens[0].start];
  return { inspected: { ...inspected, branch: null, text, standing, skipped }, trace };
}

function branched(inspected: Inspected, branch: BranchOf, { trace, from, text: spelled }: Branch): Shown {
  const { written, suggested } = inspected;
  const text = (written + suggested).slice(0, from) + spelled;
  const [standing, skipped] = [sharedLength(text, written), trace.tokens[0].start];
  return { inspected: { ...inspected, branch, text, standing, skipped }, trace };
}

function idsOf({ tokens }: Trace): readonly number[] {
  return tokens.map(({ id }) => id);
}

function isOf(root: Trace, { root: ids }: BranchOf): boolean {
  return ids.length === root.tokens.length && root.tokens.every(({ id }, index) => id === ids[index]);
}

function isSamePath(one: BranchPath | undefined, { keep, behind }: BranchPath): boolean {
  return one?.keep === keep && one.behind.length === behind.length && behind.every((id, at) => id === one.behind[at]);
}

/** How much two texts have in common at their beginning, in UTF-16 code units and whole characters. */
function sharedLength(one: string, other: string): number {
  let shared = 0;
  while (shared < one.length && shared < other.length && one[shared] === other[shared]) {
    shared++;
  }
  const splitsPair = /[\ud800-\udbff]$/.test(one.slice(0, shared)) && shared < one.length;
  return splitsPair ? shared - 1 : shared;
}
