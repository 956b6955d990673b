// The suite that runs inside an extension host: that of a VS Code server with a Chromium before it, or of the desktop.
import { cpSync, createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Failure } from '../failure.mjs';
import { artifacts, root } from '../project.mjs';
import { openWorkbench } from '../workbench-page.mjs';
import { failedToRun, readReport } from './report.mjs';

/** Tells the lines of the test report from what else the extension host prints. */
const MARK = 'headlight-test ';
const ENDS_WITHIN_MS = 5 * 60_000;
const tests = path.join(root, 'dist', 'test', 'editor', 'run.js');

/**
 * @param {import('../vscode-server.mjs').Release} release
 * @param {{ grep?: string }} options
 * @returns {Promise<import('./report.mjs').SuiteReport>}
 */
export async function runInServer(release, { grep }) {
  const name = `editor-${release.vscode}`;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'headlight-report-'));
  const report = path.join(folder, 'report.json');
  mkdirSync(artifacts, { recursive: true });
  const rest = createWriteStream(path.join(artifacts, `${name}.log`));
  const workbench = await openWorkbench({
    name,
    release,
    tests,
    log: (line) => {
      if (line.startsWith(MARK)) {
        console.log(line.slice(MARK.length));
      } else {
        rest.write(`${line}\n`);
      }
    },
    env: {
      HEADLIGHT_TEST_REPORT: report,
      HEADLIGHT_TEST_GREP: grep ?? '',
      HEADLIGHT_TEST_MARK: MARK,
    },
  });
  let late;
  try {
    const code = await Promise.race([
      workbench.testsEnded,
      new Promise((_, reject) => {
        late = setTimeout(() => reject(new Failure(`no end after ${ENDS_WITHIN_MS / 1000} s`)), ENDS_WITHIN_MS);
      }),
    ]);
    return readReport(report, `the ${name} tests did not run to their end (exit code ${code})`);
  } catch (error) {
    const picture = path.join(artifacts, `${name}-failed.png`);
    await workbench.page.screenshot({ path: picture }).catch(() => {});
    return failedToRun(`the ${name} tests did not run to their end (${error.message}); ${picture} shows the window`);
  } finally {
    clearTimeout(late);
    await workbench.close();
    rest.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} executable Of a desktop VS Code.
 * @param {{ grep?: string }} options
 * @returns {Promise<import('./report.mjs').SuiteReport>}
 */
export async function runInDesktop(executable, { grep }) {
  const { runTests } = await import('@vscode/test-electron');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'headlight-'));
  const report = path.join(folder, 'report.json');
  const workspace = path.join(folder, 'workspace');
  cpSync(path.join(root, 'samples'), workspace, { recursive: true });
  const user = path.join(folder, 'user', 'User');
  mkdirSync(user, { recursive: true });
  writeFileSync(path.join(user, 'settings.json'), '{ "files.autoSave": "off", "chat.disableAIFeatures": true }');
  try {
    await runTests({
      vscodeExecutablePath: executable,
      extensionDevelopmentPath: root,
      extensionTestsPath: tests,
      extensionTestsEnv: { HEADLIGHT_TEST_REPORT: report, HEADLIGHT_TEST_GREP: grep ?? '' },
      launchArgs: [
        workspace,
        '--disable-workspace-trust',
        ...['--user-data-dir', path.join(folder, 'user'), '--extensions-dir', path.join(folder, 'extensions')],
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ],
    }).catch((error) => console.error(error.message));
    return readReport(report, 'the editor tests did not run to their end on the desktop VS Code');
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
