// The real workbench: a VS Code server of its own, and a Chromium that shows it with the extension loaded from source.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format } from 'node:util';
import { chromium } from 'playwright-core';
import { chromiumArguments, installChromium } from './chromium.mjs';
import { isAlive } from './lock.mjs';
import { projectCache, root } from './project.mjs';
import { installServer, startServer, sweep } from './vscode-server.mjs';

const LOADS_WITHIN_MS = 60_000;
const runs = path.join(projectCache, 'runs');

/** Nothing may pop up, save or change by itself while a test looks. */
const CALM_SETTINGS = {
  'chat.disableAIFeatures': true,
  'editor.hover.delay': 100,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'files.autoSave': 'off',
  'git.enabled': false,
  'security.workspace.trust.startupPrompt': 'never',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'window.autoDetectColorScheme': false,
  'window.menuBarVisibility': 'compact',
  'workbench.colorTheme': 'Dark Modern',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
};

/**
 * @typedef {object} WorkbenchOptions
 * @property {string} name Of the suite: its folders are named for it.
 * @property {import('./vscode-server.mjs').Release} release
 * @property {string} [tests] Module with a mocha `run()` for the extension host.
 * @property {(line: string) => void} [log] Hears what the extension host prints while the tests run.
 * @property {boolean} [trusted] Every workspace is trusted; true unless told.
 * @property {Record<string, unknown>} [settings] The user's.
 * @property {Record<string, unknown>} [machineSettings] Those of the machine that the server runs on, which alone decide where
 * a setting is of a machine.
 * @property {string | null} [extension] Folder of the extension under test, the project's by default; null loads none.
 * @property {string[]} [beside] Folders of more extensions.
 * @property {Record<string, string>} [env] For the server and the extension host.
 * @property {(folder: string) => void} [fill] Puts more into the workspace before it is opened.
 * @property {{ width: number, height: number }} [viewport]
 */

/**
 * @typedef {object} OpenWorkbench
 * @property {import('playwright-core').Page} page
 * @property {string} folder The workspace: a copy of samples/ that the tests may change.
 * @property {string} data The server's folder.
 * @property {string} serverLog
 * @property {Promise<number>} testsEnded Exit code of the tests in the extension host.
 * @property {() => Promise<void>} close
 */

/**
 * @param {WorkbenchOptions} options
 * @returns {Promise<OpenWorkbench>}
 */
export async function openWorkbench({
  name,
  release,
  tests,
  log = () => {},
  trusted = true,
  settings = {},
  machineSettings = {},
  extension = root,
  beside = [],
  env,
  fill = () => {},
  viewport = { width: 1600, height: 1000 },
}) {
  sweep(runs, isAlive);
  const home = path.join(runs, `${process.pid}-${name}`);
  const data = path.join(home, 'server');
  const folder = path.join(home, 'workspace');
  cpSync(path.join(root, 'samples'), folder, { recursive: true });
  fill(folder);
  const user = path.join(data, 'data', 'User');
  mkdirSync(user, { recursive: true });
  writeFileSync(path.join(user, 'settings.json'), JSON.stringify({ ...CALM_SETTINGS, ...settings }, null, 2));
  const machine = path.join(data, 'data', 'Machine');
  mkdirSync(machine, { recursive: true });
  writeFileSync(path.join(machine, 'settings.json'), JSON.stringify(machineSettings, null, 2));
  const [installation, executablePath] = [await installServer(release), await installChromium()];
  const server = await startServer(installation, {
    data,
    trusted,
    brief: true,
    // No marketplace: a test asks nothing of the network.
    env: { EXTENSIONS_GALLERY: '{"serviceUrl":""}', ...env },
  });
  const closing = [() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }), () => server.stop()];
  const close = async () => {
    for (const step of closing.splice(0).reverse()) {
      await step();
    }
  };
  try {
    const browser = await chromium.launch({ executablePath, args: chromiumArguments(), handleSIGINT: false });
    closing.push(() => browser.close());
    const context = await browser.newContext({ viewport, permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await context.newPage();
    const { testsEnded } = await listenToTests(page, server, log);
    if (extension) {
      await page.addInitScript(loadExtension, {
        extensions: [extension, ...beside].map((each) => remote(server.port, each)),
        ...(tests ? { extensionTestsPath: remote(server.port, tests) } : {}),
      });
    }
    const query = new URLSearchParams({ folder: path.posix.join('/', folder.replaceAll('\\', '/')) });
    await page.goto(`http://127.0.0.1:${server.port}/?${query}`, { timeout: LOADS_WITHIN_MS });
    await page.locator('.monaco-workbench').waitFor({ timeout: LOADS_WITHIN_MS });
    return { page, folder, data, serverLog: server.log, testsEnded, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * The extension host tells the page what its tests print, and how they ended.
 * @param {import('playwright-core').Page} page
 * @param {import('./vscode-server.mjs').Server} server
 * @param {(line: string) => void} log
 * @returns {Promise<{ testsEnded: Promise<number> }>}
 */
async function listenToTests(page, server, log) {
  /** @type {(code: number) => void} */
  let exited = () => {};
  const exit = new Promise((resolve) => {
    exited = resolve;
  });
  const lost = new Promise((_, reject) => {
    page.once('crash', () => reject(new Error('Chromium has crashed')));
    server.ended.then((code) => reject(new Error(`the VS Code server ended (exit code ${code})`)));
  });
  const testsEnded = Promise.race([exit, lost]);
  // Only a suite with tests waits for it.
  testsEnded.catch(() => {});
  await page.exposeFunction('codeAutomationLog', (/** @type {string} */ _type, /** @type {unknown[]} */ args) => {
    log(format(...args));
  });
  await page.exposeFunction('codeAutomationExit', (/** @type {number} */ code) => exited(code));
  return { testsEnded };
}

/**
 * Runs in the page before the workbench reads its configuration.
 * @param {Record<string, unknown>} developmentOptions
 */
function loadExtension(developmentOptions) {
  const original = Element.prototype.getAttribute;
  Element.prototype.getAttribute = function (name) {
    const value = original.call(this, name);
    if (this.id !== 'vscode-workbench-web-configuration' || name !== 'data-settings' || value === null) {
      return value;
    }
    return JSON.stringify({ ...JSON.parse(value), developmentOptions });
  };
}

/**
 * @param {number} port
 * @param {string} file
 */
function remote(port, file) {
  const absolute = path.posix.join('/', file.replaceAll('\\', '/'));
  return { scheme: 'vscode-remote', authority: `127.0.0.1:${port}`, path: absolute };
}
