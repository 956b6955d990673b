import * as vscode from 'vscode';
import { HeadlightError } from '../protocol/errors';
import type { TextRange, TokenSplits } from '../protocol/tokens';
import type { Engine } from './engine';
import type { Inspection } from './inspection';
import { tokenReadout } from './token-readout';

/** Lines above and below the visible ones that are tinted too, so that scrolling does not uncover bare text. */
const MARGIN_LINES = 60;
/** Lines around those that are sent as context, so that the splits at the ends are those of the whole document. */
const CONTEXT_LINES = 20;
/** On a line of a megabyte the visible part is not known; so much of it is tinted. */
const MOST_CHARACTERS = 60_000;

/** The splits of a stretch of a document, as they are tinted in an editor. */
interface Highlighted {
  readonly version: number;
  /** UTF-16 offset in the document at which the offsets of `splits` begin. */
  readonly base: number;
  readonly splits: TokenSplits;
}

/**
 * Tints the tokens in the editors themselves, over the selection or, where nothing is selected, over what is visible.
 * Needs the tokenizer only, no model.
 */
export class TokenHighlights implements vscode.Disposable {
  private readonly tints = ['headlight.tokenTintA', 'headlight.tokenTintB'].map((color) =>
    vscode.window.createTextEditorDecorationType({
      backgroundColor: new vscode.ThemeColor(color),
      rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
    }),
  );
  private readonly highlighted = new Map<vscode.TextEditor, Highlighted>();
  private readonly running = new Map<vscode.TextEditor, vscode.CancellationTokenSource>();
  private readonly painted = new vscode.EventEmitter<vscode.TextEditor>();
  private whileOn: vscode.Disposable[] = [];
  private on = false;
  private warned = false;

  /** After the tokens of an editor were tinted. */
  readonly onDidPaint = this.painted.event;

  constructor(
    private readonly engine: Engine,
    private readonly inspection: Inspection,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  get enabled(): boolean {
    return this.on;
  }

  toggle(): void {
    this.on = !this.on;
    this.warned = false;
    if (this.on) {
      this.whileOn = [
        vscode.window.onDidChangeTextEditorVisibleRanges(({ textEditor }) => void this.refresh(textEditor)),
        vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => void this.refresh(textEditor)),
        vscode.window.onDidChangeVisibleTextEditors(() => void this.refreshAll()),
        vscode.workspace.onDidChangeTextDocument(({ document }) => void this.refreshAll(document)),
        this.engine.onDidChangeModel(() => void this.refreshAll()),
        vscode.languages.registerHoverProvider({ scheme: '*' }, this),
      ];
      void this.refreshAll();
    } else {
      this.clear();
    }
  }

  provideHover(document: vscode.TextDocument, position: vscode.Position): vscode.Hover | null {
    const shown = [...this.highlighted].find(([editor]) => editor.document === document)?.[1];
    if (shown === undefined || shown.version !== document.version) {
      return null;
    }
    const { splits, base } = shown;
    const group = groupAt(splits, document.offsetAt(position) - base);
    if (group === null) {
      return null;
    }
    const range = new vscode.Range(
      document.positionAt(base + splits.starts[group.from]),
      document.positionAt(base + splits.ends[group.to - 1]),
    );
    // What the model made of it is known where the passage on the screen covers this place.
    const inTrace = this.inspection.tokenAt(document, range.start);
    const text = document.getText(range);
    const bytes = utf8.encode(text);
    const lines = Array.from({ length: group.to - group.from }, (_, nth) => {
      const token = group.from + nth;
      const reading = inTrace === null ? undefined : this.inspection.trace?.tokens[inTrace + nth];
      const first = splits.byteOffsets[group.from];
      const own = bytes.subarray(splits.byteOffsets[token] - first, splits.byteOffsets[token + 1] - first);
      return tokenReadout(splits.ids[token], text, own, reading);
    });
    return new vscode.Hover(lines, range);
  }

  dispose(): void {
    this.clear();
    this.painted.dispose();
    for (const tint of this.tints) {
      tint.dispose();
    }
  }

  private async refreshAll(document?: vscode.TextDocument): Promise<void> {
    const editors = vscode.window.visibleTextEditors;
    for (const editor of this.highlighted.keys()) {
      if (!editors.includes(editor)) {
        this.highlighted.delete(editor);
      }
    }
    await Promise.all(
      editors
        .filter((editor) => document === undefined || editor.document === document)
        .map((editor) => this.refresh(editor)),
    );
  }

  private async refresh(editor: vscode.TextEditor): Promise<void> {
    this.running.get(editor)?.cancel();
    const source = new vscode.CancellationTokenSource();
    this.running.set(editor, source);
    try {
      const { document } = editor;
      const { version } = document;
      const { wanted, from, text } = excerpt(editor);
      const splits = await this.engine.tokenize(text, { from: wanted.from - from, to: wanted.to - from }, source.token);
      if (this.on && !source.token.isCancellationRequested && document.version === version) {
        this.highlighted.set(editor, { version, base: from, splits });
        this.paint(editor, from, splits);
        this.painted.fire(editor);
      }
    } catch (thrown) {
      this.report(HeadlightError.from(thrown));
    } finally {
      if (this.running.get(editor) === source) {
        this.running.delete(editor);
      }
      source.dispose();
    }
  }

  private paint(editor: vscode.TextEditor, base: number, { starts, ends }: TokenSplits): void {
    const ranges: vscode.Range[][] = this.tints.map(() => []);
    let band = 0;
    for (let i = 0; i < starts.length; i++) {
      // Tokens that share a character cannot be tinted apart: they share a band, and the hover tells them apart.
      if (i > 0 && starts[i] >= ends[i - 1]) {
        band++;
      }
      const { document } = editor;
      const range = new vscode.Range(document.positionAt(base + starts[i]), document.positionAt(base + ends[i]));
      ranges[band % this.tints.length].push(range);
    }
    this.tints.forEach((tint, i) => {
      editor.setDecorations(tint, ranges[i]);
    });
  }

  private report({ code, message }: HeadlightError): void {
    if (code === 'cancelled' || this.warned) {
      return;
    }
    // Once: the next keystroke would fail in the same way.
    this.warned = true;
    this.log.error(message);
    void vscode.window.showErrorMessage(`Headlight cannot show the tokens. ${message}`);
  }

  private clear(): void {
    for (const subscription of this.whileOn) {
      subscription.dispose();
    }
    this.whileOn = [];
    for (const source of this.running.values()) {
      source.cancel();
    }
    this.running.clear();
    this.highlighted.clear();
    for (const editor of vscode.window.visibleTextEditors) {
      for (const tint of this.tints) {
        editor.setDecorations(tint, []);
      }
    }
  }
}

/** What is to be tinted in an editor, and the text to send for it, both as UTF-16 offsets into the document. */
function excerpt({ document, selection, visibleRanges }: vscode.TextEditor): {
  wanted: TextRange;
  from: number;
  text: string;
} {
  const firstVisible = visibleRanges[0]?.start.line ?? 0;
  const lastVisible = visibleRanges.at(-1)?.end.line ?? 0;
  const visible = wholeLines(document, firstVisible - MARGIN_LINES, lastVisible + MARGIN_LINES);
  const shown = selection.isEmpty ? visible : (visible.intersection(selection) ?? selection);
  const from = document.offsetAt(shown.start);
  const wanted = { from, to: Math.min(document.offsetAt(shown.end), from + MOST_CHARACTERS) };
  const around = wholeLines(
    document,
    shown.start.line - CONTEXT_LINES,
    document.positionAt(wanted.to).line + CONTEXT_LINES,
  );
  const contextFrom = Math.max(document.offsetAt(around.start), wanted.from - MOST_CHARACTERS);
  const contextTo = Math.min(document.offsetAt(around.end), wanted.to + MOST_CHARACTERS);
  const text = document.getText(new vscode.Range(document.positionAt(contextFrom), document.positionAt(contextTo)));
  return { wanted, from: contextFrom, text };
}

function wholeLines(document: vscode.TextDocument, first: number, last: number): vscode.Range {
  return document.validateRange(new vscode.Range(Math.max(0, first), 0, last + 1, 0));
}

const utf8 = new TextEncoder();

/** The tokens around an offset that share characters with each other; usually one. They begin and end with whole characters. */
function groupAt({ starts, ends }: TokenSplits, offset: number): TextRange | null {
  let from = 0;
  while (from < starts.length && ends[from] <= offset) {
    from++;
  }
  if (from === starts.length || starts[from] > offset) {
    return null;
  }
  let to = from + 1;
  while (from > 0 && starts[from] < ends[from - 1]) {
    from--;
  }
  while (to < starts.length && starts[to] < ends[to - 1]) {
    to++;
  }
  return { from, to };
}
