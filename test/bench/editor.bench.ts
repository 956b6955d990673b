import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { NEWEST } from '../../scripts/vscode-server.mjs';
import { openWorkbench } from '../../scripts/workbench-page.mjs';
import { type Bench, median } from './bench';
import { BENCH_MARK, type EditorTimes } from './editor-times';

/** What the extension costs the extension host, measured inside of it. */
export const bench: Bench = async () => {
  const { activation, firstPaint } = await measureInEditor();
  return [
    {
      what: 'activation of the extension',
      value: activation,
      unit: 'ms',
      limit: { atMost: 50 },
      detail: 'once, from a cold start',
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

async function measureInEditor(): Promise<EditorTimes> {
  let times: EditorTimes | null = null;
  const workbench = await openWorkbench({
    name: 'editor-bench',
    release: NEWEST,
    tests: path.join(root, 'dist', 'test', 'bench', 'in-editor.js'),
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
