// Opens a page in the browser of the person who started the command, where there is one.
import { spawn } from 'node:child_process';
import { findOnPath } from './find-on-path.mjs';
import { hasDisplay } from './vscode-desktop.mjs';

/**
 * @param {string} address
 * @returns {boolean} Whether a browser was asked to.
 */
export function openInBrowser(address) {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', address]
      : process.platform === 'win32'
        ? ['cmd', '/c', 'start', '""', address.replaceAll('&', '^&')]
        : ['xdg-open', address];
  if (!hasDisplay() || !findOnPath(command)) {
    return false;
  }
  const child = spawn(command, args, {
    detached: true,
    stdio: 'ignore',
    windowsVerbatimArguments: true,
  });
  child.once('error', () => {});
  child.unref();
  return true;
}
