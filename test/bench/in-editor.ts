import * as vscode from 'vscode';
import type { HeadlightApi } from '../../src/extension';
import { BENCH_MARK, type EditorTimes, ORDER_VARIABLE } from './editor-times';

const START_MS = 6000;
const TIMES = 9;
const LINE = 'const total = items.reduce((sum, item) => sum + item.price * item.count, 0); // naïve\n';

/** What VS Code calls in its extension host. */
export async function run(): Promise<void> {
  // Until the editor has nothing more to do for its own start.
  await pause(START_MS);
  const empty = inactive('headlight-bench.empty');
  const extension = inactive<HeadlightApi>('headlight.headlight');
  let emptyActivation = 0;
  let activation = 0;
  const activateEmpty = async () => {
    emptyActivation = await timed(() => empty.activate());
  };
  const activateHeadlight = async () => {
    activation = await timed(() => extension.activate());
  };
  const first = process.env[ORDER_VARIABLE] === '1';
  for (const activate of first ? [activateEmpty, activateHeadlight] : [activateHeadlight, activateEmpty]) {
    await activate();
  }
  const { highlights } = extension.exports;

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
  const times: EditorTimes = { activation, emptyActivation, firstPaint };
  console.log(BENCH_MARK + JSON.stringify(times));
}

function inactive<T>(id: string): vscode.Extension<T> {
  const extension = vscode.extensions.getExtension<T>(id);
  if (extension === undefined || extension.isActive) {
    throw new Error(`${id} is not there, or was activated before it could be measured`);
  }
  return extension;
}

async function timed(work: () => Thenable<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
