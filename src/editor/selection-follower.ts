import * as vscode from 'vscode';
import type { Inspection } from './inspection';
import type { Panel } from './panel';
import type { Settings } from './settings';

/** Text of one's own, as against output channels, debug consoles and the like. */
const IGNORED_SCHEMES = new Set(['output', 'debug', 'vscode-scm', 'comment']);

/**
 * Inspects what is selected while the panel is in sight and set to follow, once the selection rests. A bare caret is not
 * followed: a click into the text would throw away the passage one is looking at.
 */
export class SelectionFollower implements vscode.Disposable {
  private timer: NodeJS.Timeout | undefined;
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly inspection: Inspection,
    private readonly panel: Panel,
    private readonly settings: Settings,
  ) {
    this.subscription = vscode.window.onDidChangeTextEditorSelection(({ textEditor }) =>
      this.selectionChanged(textEditor),
    );
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.subscription.dispose();
  }

  private selectionChanged(editor: vscode.TextEditor): void {
    if (!this.panel.visible || IGNORED_SCHEMES.has(editor.document.uri.scheme)) {
      return;
    }
    this.panel.revealToken(this.inspection.tokenAt(editor.document, editor.selection.active));
    clearTimeout(this.timer);
    if (!this.inspection.following || editor.selection.isEmpty) {
      return;
    }
    this.timer = setTimeout(() => {
      // By now another editor may have the focus, and with it the latest selection.
      const isLatest = this.panel.visible && vscode.window.activeTextEditor === editor && !editor.selection.isEmpty;
      if (isLatest && !this.inspection.covers(editor.document, editor.selection)) {
        void this.inspection.inspectSelection(editor);
      }
    }, this.settings.followDelay);
  }
}
