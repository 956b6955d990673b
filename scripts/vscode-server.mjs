// The VS Code server out of the npm package code-server: a complete VS Code for a browser, without a download that not
// every network allows. Installed once per user, outside of the project's node_modules.
import {
  copyFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { explain, Failure } from './failure.mjs';
import { holding } from './lock.mjs';
import { endGroup, npm, startGroup } from './processes.mjs';
import { showing } from './progress.mjs';
import { downloads, root } from './project.mjs';

const NEWER_NODE = '24.21.0';
const STARTS_WITHIN_MS = 30_000;

/**
 * @typedef {object} Release
 * @property {string} vscode Version of VS Code.
 * @property {string} package Version of the npm package code-server that contains it.
 * @property {number} oldestNode Oldest major version of Node that runs it.
 */

/** What package.json names under engines.vscode. @type {Release} */
export const OLDEST = { vscode: '1.100', package: '4.100.3', oldestNode: 20 };
/** @type {Release} */
export const NEWEST = { vscode: '1.139', package: '4.139.1', oldestNode: 22 };

/** Platforms for which the npm registry has a Node of its own. */
const NODE_PACKAGES = new Set(['linux-x64', 'linux-arm64', 'win32-x64']);

/**
 * @typedef {object} Installation
 * @property {Release} release
 * @property {string} folder The server's own folder.
 * @property {string} node The Node that runs it.
 */

/**
 * The newest release that can run here.
 * @returns {Release}
 */
export function bestRelease() {
  return ownNodeRuns(NEWEST) || NODE_PACKAGES.has(`${process.platform}-${process.arch}`) ? NEWEST : OLDEST;
}

/** @param {Release} release */
function ownNodeRuns(release) {
  return Number(process.versions.node.split('.')[0]) >= release.oldestNode;
}

/**
 * @param {Release} release
 * @returns {Promise<Installation>}
 */
export async function installServer(release) {
  const home = path.join(downloads(), 'vscode-server');
  const folder = path.join(home, release.package);
  if (!existsSync(folder)) {
    await holding(path.join(home, `${release.package}.lock`), async () => {
      if (existsSync(folder)) {
        return;
      }
      try {
        await showing(`Installing the VS Code ${release.vscode} server (once)`, (detail) =>
          installInto(folder, release, detail),
        );
      } catch (error) {
        throw explain(`The VS Code ${release.vscode} server could not be installed`, error);
      }
    });
  }
  return {
    release,
    folder: path.join(folder, 'node_modules', 'code-server', 'lib', 'vscode'),
    node: ownNodeRuns(release) ? process.execPath : nodeBinary(folder),
  };
}

/**
 * @param {string} folder
 * @param {Release} release
 * @param {(text: string) => void} detail
 */
async function installInto(folder, release, detail) {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  writeFileSync(path.join(partial, 'package.json'), '{ "private": true }\n');
  const packages = [`code-server@${release.package}`];
  if (!ownNodeRuns(release)) {
    packages.push(`${nodePackage()}@${NEWER_NODE}`);
  }
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts'];
  detail('the package');
  // --force: it names the Node that it wants, and that is the one installed beside it.
  await npm(['install', '--no-save', '--force', ...quiet, ...packages], { cwd: partial });
  const server = path.join(partial, 'node_modules', 'code-server', 'lib', 'vscode');
  detail('its own dependencies');
  await npm(['install', '--omit=dev', ...quiet], { cwd: server });
  await npm(['install', '--omit=dev', ...quiet], { cwd: path.join(server, 'extensions') });
  replaceNatives(path.join(server, 'node_modules', '@vscode'));
  renameSync(partial, folder);
}

/**
 * The two modules that would have to be compiled, and without which every process of the server complains.
 * @param {string} scope
 */
function replaceNatives(scope) {
  copyFileSync(path.join(root, 'scripts', 'plain-log.cjs'), path.join(scope, 'spdlog', 'index.js'));
  const watchdog = path.join(scope, 'native-watchdog', 'index.js');
  if (existsSync(watchdog)) {
    // It ends a process whose parent is gone; here the whole group is ended at once.
    writeFileSync(watchdog, 'exports.start = () => {};\n');
  }
}

function nodePackage() {
  return `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
}

/** @param {string} folder */
function nodeBinary(folder) {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  return path.join(folder, 'node_modules', nodePackage(), 'bin', name);
}

/**
 * @typedef {object} ServerOptions
 * @property {string} data Folder for all that the server keeps; what it prints goes to server.log there.
 * @property {string | number} [port] A port, or a range as `8000-8010` of which a free one is taken; any free one by default.
 * @property {string} [token] A page must bring it; without one any program of this machine may connect.
 * @property {boolean} [trusted] Every workspace is trusted without a question.
 * @property {boolean} [brief] Lets go of a page as soon as it is gone, instead of waiting hours for it to come back.
 * @property {Record<string, string>} [env] Added to the environment of the server and its extension hosts.
 */

/**
 * @typedef {object} Server
 * @property {number} port
 * @property {string} log Path of the file with what it printed.
 * @property {Promise<number | null>} ended The exit code once it has ended.
 * @property {() => Promise<void>} stop Ends it and all that it has started.
 */

/**
 * @param {Installation} installation
 * @param {ServerOptions} options
 * @returns {Promise<Server>}
 */
export async function startServer({ folder, node, release }, { data, port = 0, token, trusted, brief, env = {} }) {
  mkdirSync(data, { recursive: true });
  const log = path.join(data, 'server.log');
  const child = startGroup(
    node,
    [
      ...['--require', path.join(root, 'scripts', 'end-with-parent.cjs')],
      path.join(folder, 'out', 'server-main.js'),
      ...['--host', '127.0.0.1', '--port', String(port)],
      ...(token ? ['--connection-token', token] : ['--without-connection-token']),
      '--accept-server-license-terms',
      '--disable-telemetry',
      ...['--server-data-dir', data, '--user-data-dir', path.join(data, 'data')],
      ...['--extensions-dir', path.join(data, 'extensions')],
      ...(trusted ? ['--disable-workspace-trust'] : []),
      ...(brief ? ['--reconnection-grace-time', '1'] : []),
    ],
    {
      cwd: data,
      stdio: 'pipe',
      env: { ...withoutEditor(process.env), HEADLIGHT_PARENT: String(process.pid), ...env },
    },
  );
  const file = createWriteStream(log);
  child.stderr?.pipe(file);
  child.stdout?.pipe(file, { end: false });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const stop = async () => {
    endGroup(child);
    await ended;
  };
  return { port: await listeningPort(child, release, log, stop), log, ended, stop };
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {Release} release
 * @param {string} log
 * @param {() => Promise<void>} stop
 * @returns {Promise<number>}
 */
function listeningPort(child, release, log, stop) {
  const what = `The VS Code ${release.vscode} server did not start`;
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      void stop();
      reject(new Failure(`${what} within ${STARTS_WITHIN_MS / 1000} s; its own words are in ${log}.`));
    }, STARTS_WITHIN_MS);
    let output = '';
    child.stdout?.on('data', (chunk) => {
      output += chunk;
      const listening = /Extension host agent listening on (\d+)/.exec(output);
      if (listening) {
        clearTimeout(late);
        resolve(Number(listening[1]));
      }
    });
    child.once('error', (error) => {
      clearTimeout(late);
      reject(explain(what, error));
    });
    child.once('close', (code) => {
      clearTimeout(late);
      reject(new Failure(`${what} (exit code ${code}); its own words are in ${log}.`));
    });
  });
}

/**
 * An editor's terminal tells its programs about that editor: another one must not take it for its own.
 * @param {NodeJS.ProcessEnv} env
 */
export function withoutEditor(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(VSCODE_|ELECTRON_|NODE_OPTIONS$)/.test(name)));
}

/**
 * Removes what a run that was killed has left.
 * @param {string} runs Folder of folders named for the process that made them, as `4711-editor`.
 * @param {(pid: number) => boolean} isAlive
 */
export function sweep(runs, isAlive) {
  for (const name of existsSync(runs) ? readdirSync(runs) : []) {
    if (!isAlive(Number.parseInt(name, 10))) {
      rmSync(path.join(runs, name), { recursive: true, force: true, maxRetries: 3 });
    }
  }
}
