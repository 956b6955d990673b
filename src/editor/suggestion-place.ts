import * as vscode from 'vscode';

/** Documents that are not for writing in, or that hold what should not be read along. */
const EXCLUDED_SCHEMES = new Set(['output', 'vscode-userdata', 'vscode-settings', 'debug', 'git', 'comment']);
const WORD_CHARACTER = /^[\p{L}\p{N}_$]/u;
/** What may stand behind a caret where one goes on writing: what an editor closes by itself. */
const CLOSED_BY_EDITOR = /^[\s)\]}>"'`;,:]*$/;

/** How much text is read for one token of the window: more than tokens have on average. */
const CHARACTERS_PER_TOKEN = 8;

/** @param exclude glob patterns */
export function isExcluded(document: vscode.TextDocument, exclude: readonly string[]): boolean {
  return (
    EXCLUDED_SCHEMES.has(document.uri.scheme) ||
    exclude.some((pattern) => vscode.languages.match({ pattern }, document) > 0)
  );
}

/**
 * Whether a caret stands where something can be suggested: nothing is selected, and it is not in the middle of a word.
 *
 * @param automatic nobody asked: then only where the line ends, but for what the editor has closed
 */
export function isWritingPlace(document: vscode.TextDocument, position: vscode.Position, automatic: boolean): boolean {
  const editor = vscode.window.activeTextEditor;
  if (editor?.document === document && editor.selections.some((selection) => !selection.isEmpty)) {
    return false;
  }
  const after = restOfLine(document, position);
  return automatic ? CLOSED_BY_EDITOR.test(after) : !WORD_CHARACTER.test(after);
}

/** What stands behind a position in its line. */
export function restOfLine(document: vscode.TextDocument, position: vscode.Position): string {
  return document.lineAt(position.line).text.slice(position.character);
}

/**
 * The text before a caret, as far back as is ever read, and where it begins. In a long document its beginning moves in
 * steps, so that it is the same from one key to the next.
 */
export function textBefore(
  document: vscode.TextDocument,
  position: vscode.Position,
  windowTokens: number,
): { readonly from: number; readonly text: string } {
  const most = CHARACTERS_PER_TOKEN * windowTokens;
  const step = Math.ceil(most / 4);
  const from = Math.max(0, Math.floor((document.offsetAt(position) - most) / step) * step);
  return { from, text: document.getText(new vscode.Range(document.positionAt(from), position)) };
}
