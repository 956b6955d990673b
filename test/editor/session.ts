import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { HeadlightApi } from '../../src/extension';
import type { PanelStatus } from '../../src/protocol/panel';
import type { Trace } from '../../src/protocol/trace';

const POLL_MS = 10;
const PATIENCE_MS = 40_000;
/** Longer than the setting `headlight.followDelay`. */
const FOLLOWED_WITHIN_MS = 300;

/** The extension's long-lived objects. */
export async function headlight(): Promise<HeadlightApi> {
  const extension = vscode.extensions.getExtension<HeadlightApi>('headlight.headlight');
  assert.ok(extension, 'the extension is not there');
  return extension.activate();
}

/** A new document with that text, in an editor of its own. */
export async function openText(content: string): Promise<vscode.TextEditor> {
  const document = await vscode.workspace.openTextDocument({ content, language: 'plaintext' });
  return vscode.window.showTextDocument(document, vscode.ViewColumn.One);
}

export function selectAll({ document }: vscode.TextEditor): vscode.Selection {
  const end = document.lineAt(document.lineCount - 1).range.end;
  return new vscode.Selection(new vscode.Position(0, 0), end);
}

/** Opens a text, selects all of it and inspects it as a user would. Returns what came of it. */
export async function inspectText(content: string): Promise<PanelStatus> {
  const editor = await openText(content);
  editor.selection = selectAll(editor);
  return inspect(editor);
}

/** Inspects the editor's selection by command and waits for the end of it. */
export async function inspect(editor: vscode.TextEditor): Promise<PanelStatus> {
  const { inspection } = await headlight();
  await vscode.window.showTextDocument(editor.document, vscode.ViewColumn.One);
  await vscode.commands.executeCommand('headlight.inspectSelection');
  assert.equal(inspection.working, false, 'the command returned before its work was done');
  return inspection.snapshot.status;
}

export function traceOf(status: PanelStatus): Trace {
  assert.equal(status.kind, 'ready', status.kind === 'failed' ? status.message : `it is ${status.kind}`);
  return (status as Extract<PanelStatus, { kind: 'ready' }>).trace;
}

export function failureOf(status: PanelStatus): Extract<PanelStatus, { kind: 'failed' }> {
  assert.equal(status.kind, 'failed');
  return status as Extract<PanelStatus, { kind: 'failed' }>;
}

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`);
    await pause(POLL_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

export async function closeAll(): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  // On the way out an editor with a selection may have had the focus once more, and the panel follows it a little later.
  const { inspection } = await headlight();
  await pause(FOLLOWED_WITHIN_MS);
  await until('what was followed to end', () => !inspection.working);
}
