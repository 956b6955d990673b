// A VS Code of the desktop: the one that is installed, else a download.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { findOnPath } from './find-on-path.mjs';
import { run } from './processes.mjs';
import { showing } from './progress.mjs';
import { downloads, manifest } from './project.mjs';
import { withoutEditor } from './vscode-server.mjs';

/** Without an answer for so long, or not whole after so long, there is no download to be had. */
const ANSWERS_WITHIN_MS = 10_000;
const ARRIVES_WITHIN_MS = 5 * 60_000;
const SAYS_ITS_VERSION_WITHIN_MS = 10_000;

/** Whether a window can be shown here. */
export function hasDisplay() {
  if (process.env.CI) {
    return false;
  }
  if (process.platform === 'linux') {
    return Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
  }
  return !process.env.SSH_CONNECTION;
}

/**
 * The application behind the `code` on the PATH. It is started itself, not through `code`, which would return at once
 * and leave a window that Ctrl+C does not reach.
 * @returns {Promise<{ executable: string, version: string } | { reason: string }>}
 */
export async function installedDesktop() {
  const command = findOnPath('code');
  if (!command) {
    return { reason: 'no `code` on the PATH' };
  }
  const executable = applicationOf(command);
  if (!executable) {
    return { reason: `${command} is not the command of a desktop VS Code` };
  }
  const version = await versionOf(command);
  if (!version) {
    return { reason: `${command} does not say its version` };
  }
  const oldest = manifest().engines.vscode.replace(/^\D+/, '');
  return isAtLeast(version, oldest)
    ? { executable, version }
    : { reason: `${command} is ${version}, older than ${oldest}` };
}

/**
 * `code` stands in bin/ of the application, or in Contents/Resources/app/bin of a Mac's. In a terminal of a remote
 * window it is another program of the same name.
 * @param {string} command
 */
function applicationOf(command) {
  const bin = path.dirname(realpathSync(command));
  const candidates =
    process.platform === 'darwin'
      ? [path.resolve(bin, '../../../MacOS/Electron'), path.resolve(bin, '../../../MacOS/Code')]
      : process.platform === 'win32'
        ? [path.resolve(bin, '../Code.exe')]
        : [path.resolve(bin, '../code')];
  return path.basename(bin) === 'bin' ? candidates.find((file) => existsSync(file)) : undefined;
}

/** @param {string} command */
async function versionOf(command) {
  try {
    const output = await run(command, ['--version'], {
      env: withoutEditor(process.env),
      shell: process.platform === 'win32',
      timeout: SAYS_ITS_VERSION_WITHIN_MS,
    });
    return /^\d+\.\d+\.\d+/m.exec(output)?.[0];
  } catch {
    return undefined;
  }
}

/**
 * @param {string} version
 * @param {string} oldest
 */
export function isAtLeast(version, oldest) {
  const [ours, theirs] = [version, oldest].map((text) => text.split('.').map(Number));
  for (let part = 0; part < 3; part++) {
    if (ours[part] !== theirs[part]) {
      return ours[part] > theirs[part];
    }
  }
  return true;
}

/**
 * @param {string} [version]
 * @returns {Promise<{ executable: string, version: string } | { reason: string }>}
 */
export async function downloadedDesktop(version = 'stable') {
  const { downloadAndUnzipVSCode } = await import('@vscode/test-electron');
  let given;
  try {
    const executable = await showing('Downloading VS Code (once)', (detail) =>
      Promise.race([
        downloadAndUnzipVSCode({
          version,
          cachePath: path.join(downloads(), 'vscode-desktop'),
          timeout: ANSWERS_WITHIN_MS,
          reporter: {
            report: (step) => {
              if (step.stage === 'downloading' && step.totalBytes) {
                detail(`${Math.floor((100 * step.bytesSoFar) / step.totalBytes)} %`);
              }
            },
            error: () => {},
          },
        }),
        new Promise((_, reject) => {
          given = setTimeout(() => reject(new Error('it took too long')), ARRIVES_WITHIN_MS);
        }),
      ]),
    );
    return { executable, version: productVersion(executable) ?? version };
  } catch (error) {
    return { reason: `VS Code could not be downloaded (${error.message})` };
  } finally {
    clearTimeout(given);
  }
}

/** @param {string} executable */
function productVersion(executable) {
  const folder = path.dirname(executable);
  const product = [
    path.join(folder, 'resources', 'app', 'package.json'),
    path.resolve(folder, '../Resources/app/package.json'),
  ].find((file) => existsSync(file));
  return product && JSON.parse(readFileSync(product, 'utf8')).version;
}
