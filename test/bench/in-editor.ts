import * as vscode from 'vscode';
import type { HeadlightApi } from '../../src/extension';
import { BENCH_MARK, type EditorTimes } from './editor-times';

const TIMES = 9;
const LINE = 'const total = items.reduce((sum, item) => sum + item.price * item.count, 0); // naïve\n';

/** What VS Code calls in its extension host. */
export async function run(): Promise<void> {
  const extension = vscode.extensions.getExtension<HeadlightApi>('headlight.headlight');
  if (extension === undefined || extension.isActive) {
    throw new Error('the extension is not there, or was activated before it could be measured');
  }
  const started = performance.now();
  const { highlights } = await extension.activate();
  const activation = performance.now() - started;

  const content = LINE.repeat(Math.ceil(1_000_000 / LINE.length));
  const document = await vscode.workspace.openTextDocument({ content, language: 'plaintext' });
  const editor = await vscode.window.showTextDocument(document);
  const middle = new vscode.Position(Math.floor(document.lineCount / 2), 0);
  editor.revealRange(new vscode.Range(middle, middle), vscode.TextEditorRevealType.AtTop);
  await pause(1000);
  const firstPaint: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const painted = new Promise<void>((resolve) => {
      const subscription = highlights.onDidPaint(() => {
        subscription.dispose();
        resolve();
      });
    });
    const from = performance.now();
    await vscode.commands.executeCommand('headlight.toggleTokenHighlights');
    await painted;
    firstPaint.push(performance.now() - from);
    await vscode.commands.executeCommand('headlight.toggleTokenHighlights');
    await pause(200);
  }
  const times: EditorTimes = { activation, firstPaint };
  console.log(BENCH_MARK + JSON.stringify(times));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
