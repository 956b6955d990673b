import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { NEWEST } from '../../scripts/vscode-server.mjs';
import { openWorkbench } from '../../scripts/workbench-page.mjs';
import { type Bench, median } from './bench';
import { BENCH_MARK, type EditorTimes, ORDER_VARIABLE } from './editor-times';

/** Starts of the editor, the order of the two extensions alternating. */
const STARTS = 6;
const EMPTY_EXTENSION = path.join(root, 'test', 'bench', 'empty-extension');

/**
 * The extension as it is, but activated by nobody else: it is to be measured while the editor does nothing, and by then
 * `onStartupFinished` would long have activated it.
 */
function waitingExtension(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'headlight-bench-'));
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ ...manifest, activationEvents: [] }));
  for (const part of ['dist', 'models', 'media', 'node_modules']) {
    symlinkSync(path.join(root, part), path.join(folder, part), 'junction');
  }
  return folder;
}

/** What the extension costs the extension host, measured inside of it. */
export const bench: Bench = async () => {
  const starts: EditorTimes[] = [];
  const extension = waitingExtension();
  try {
    for (let i = 0; i < STARTS; i++) {
      starts.push(await measureInEditor(extension, i % 2 === 0));
    }
  } finally {
    rmSync(extension, { recursive: true, force: true });
  }
  const own = starts.map(({ activation, emptyActivation }) => activation - emptyActivation);
  const figures = (values: readonly number[]) => values.map((value) => value.toFixed(0)).join(', ');
  const [{ firstPaint }] = starts;
  return [
    {
      what: 'activation of the extension',
      value: median(starts.map(({ activation }) => activation)),
      unit: 'ms',
      limit: { atMost: 50 },
      detail: `cold, in an editor at rest; ${median(own).toFixed(0)} ms more than an empty extension; ${figures(starts.map(({ activation }) => activation))} against ${figures(starts.map(({ emptyActivation }) => emptyActivation))} ms`,
    },
    {
      what: 'token highlights of a 1 MB file, from the command to the first tinted range',
      value: median(firstPaint),
      unit: 'ms',
      limit: { atMost: 50 },
      detail: `first one, which starts the tokenizer: ${firstPaint[0].toFixed(0)} ms`,
    },
  ];
};

async function measureInEditor(extension: string, emptyFirst: boolean): Promise<EditorTimes> {
  let times: EditorTimes | null = null;
  const workbench = await openWorkbench({
    name: 'editor-bench',
    release: NEWEST,
    extension,
    beside: [EMPTY_EXTENSION],
    tests: path.join(root, 'dist', 'test', 'bench', 'in-editor.js'),
    env: { [ORDER_VARIABLE]: emptyFirst ? '1' : '0' },
    log: (line) => {
      if (line.startsWith(BENCH_MARK)) {
        times = JSON.parse(line.slice(BENCH_MARK.length));
      }
    },
  });
  try {
    await workbench.testsEnded;
  } finally {
    await workbench.close();
  }
  if (times === null) {
    throw new Error('the extension host measured nothing');
  }
  return times;
}
