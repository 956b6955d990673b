// `npm start`: opens a VS Code on samples/ with the extension active.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { explain, Failure, runMain } from './failure.mjs';
import { prepare } from './prepare.mjs';
import { exitCodeOnInterrupt, startGroup } from './processes.mjs';
import { projectCache, root } from './project.mjs';
import { downloadedDesktop, hasDisplay, installedDesktop } from './vscode-desktop.mjs';
import { bestRelease, installServer, startServer, withoutEditor } from './vscode-server.mjs';
import { openInBrowser } from './web-browser.mjs';

const HELP = `npm start [-- OPTIONS]

Opens a VS Code on samples/ with Headlight active: the \`code\` on the PATH where it is a desktop VS Code that is new
enough, else a download; where there is no display or no download, the VS Code server in a browser. It has settings of
its own, in .cache/start; yours stay as they are. Ctrl+C ends it.

  --server    the VS Code server, whatever else is there
  --port N    the server's port; without it 8321, or the next one that is free
  --help      this page`;

const samples = path.join(root, 'samples');
const home = path.join(projectCache, 'start');
const PORTS = '8321-8399';

/** What a first look needs: the samples' README, and the room for the panel. */
const FIRST_SETTINGS = {
  'workbench.startupEditor': 'readme',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
};

async function main() {
  const options = readArguments();
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  exitCodeOnInterrupt(0);
  await prepare();
  const desktop = options.server || options.port ? null : await findDesktop();
  return desktop ? runDesktop(desktop) : runServer(options.port);
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: { server: { type: 'boolean' }, port: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.port !== undefined && !(/^\d+$/.test(values.port) && Number(values.port) < 65536)) {
      throw new Error(`--port takes a number below 65536, not ${values.port}`);
    }
    return values;
  } catch (error) {
    throw new Failure(`${error.message.split('. ')[0]}. npm start -- --help shows what can be said.`);
  }
}

async function findDesktop() {
  if (!hasDisplay()) {
    return null;
  }
  const reasons = [];
  for (const find of [installedDesktop, downloadedDesktop]) {
    const found = await find();
    if ('executable' in found) {
      return found;
    }
    reasons.push(found.reason);
  }
  console.error(`${reasons.join('; ')}: taking the VS Code server.`);
  return null;
}

/** @param {{ executable: string, version: string }} desktop */
async function runDesktop({ executable, version }) {
  const data = path.join(home, 'desktop');
  keepFirstSettings(path.join(data, 'User'));
  const child = startGroup(
    executable,
    [
      `--extensionDevelopmentPath=${root}`,
      ...['--user-data-dir', data, '--extensions-dir', path.join(home, 'desktop-extensions')],
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--new-window',
      samples,
    ],
    { stdio: 'ignore', env: withoutEditor(process.env) },
  );
  console.log(`Headlight runs in VS Code ${version}. Close its window or press Ctrl+C to end it.`);
  return new Promise((resolve, reject) => {
    child.once('close', (code) => resolve(code ?? 0));
    child.once('error', (error) => reject(explain('VS Code could not be started', error)));
  });
}

/** @param {string | undefined} port */
async function runServer(port) {
  if (port) {
    await refuseUnusable(port);
  }
  const installation = await installServer(bestRelease());
  const data = path.join(home, 'server');
  keepFirstSettings(path.join(data, 'data', 'User'));
  linkExtension(path.join(data, 'extensions'));
  // The manifest that an earlier start has read may have changed since.
  rmSync(path.join(data, 'data', 'CachedProfilesData'), { recursive: true, force: true });
  const token = keptToken(path.join(home, 'token'));
  const server = await startServer(installation, { data, port: port ?? PORTS, token });
  const folder = encodeURI(path.posix.join('/', samples.replaceAll('\\', '/')));
  const address = `http://127.0.0.1:${server.port}/?tkn=${token}&folder=${folder}`;
  console.log(`Headlight runs in VS Code ${installation.release.vscode} at\n\n  ${address}\n`);
  console.log(`${openInBrowser(address) ? 'Opened in your browser.' : 'Open it in a browser.'} Ctrl+C ends it.`);
  const code = await server.ended;
  throw new Failure(`The VS Code server ended by itself (exit code ${code}); its own words are in ${server.log}.`);
}

/**
 * The server itself goes on without a word where it cannot listen.
 * @param {string} port
 */
async function refuseUnusable(port) {
  const probe = createServer();
  try {
    await new Promise((resolve, reject) => {
      probe.once('error', reject);
      probe.listen(Number(port), '127.0.0.1', () => resolve(undefined));
    });
  } catch (error) {
    const reason = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be used (${error.code})`;
    throw new Failure(`Port ${port} ${reason}; name another one, or none to have a free one chosen.`);
  } finally {
    probe.close();
  }
}

/** @param {string} folder Where VS Code keeps the user's settings. */
function keepFirstSettings(folder) {
  const file = path.join(folder, 'settings.json');
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, `${JSON.stringify(FIRST_SETTINGS, null, 2)}\n`);
  }
}

/**
 * Puts this clone among the server's extensions; the server makes its list anew where there is none.
 * @param {string} folder
 */
function linkExtension(folder) {
  mkdirSync(folder, { recursive: true });
  const link = path.join(folder, 'headlight');
  rmSync(link, { force: true });
  rmSync(path.join(folder, 'extensions.json'), { force: true });
  symlinkSync(root, link, process.platform === 'win32' ? 'junction' : 'dir');
}

/**
 * The same at each start, so that a page that is still open finds its server again.
 * @param {string} file
 */
function keptToken(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    const token = randomBytes(16).toString('hex');
    writeFileSync(file, token, { mode: 0o600 });
    return token;
  }
}

await runMain(main);
