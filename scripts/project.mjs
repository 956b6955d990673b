// Where things lie: the project's root and the folders that its scripts may fill.
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Found by going up, since the tests bundle this file into dist/. */
export const root = findRoot(path.dirname(fileURLToPath(import.meta.url)));

/** Downloads of this project and what a run leaves behind; not in git. */
export const projectCache = path.join(root, '.cache');

/** Pictures and logs that a test run leaves for people to look at; not in git. */
export const artifacts = path.join(root, 'artifacts');

/** @returns {{ name: string, version: string, publisher: string, engines: { vscode: string } }} */
export function manifest() {
  return JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
}

/**
 * Where large downloads are kept, so that several clones share them: the user's cache folder, or the project's own
 * where that one cannot be written. `HEADLIGHT_CACHE` names another.
 */
export function downloads() {
  for (const folder of [process.env.HEADLIGHT_CACHE, userCache(), path.join(projectCache, 'downloads')]) {
    if (folder && isWritable(folder)) {
      return folder;
    }
  }
  throw new Error(`No folder for downloads can be written; set HEADLIGHT_CACHE to one that can.`);
}

function userCache() {
  if (process.platform === 'win32') {
    return process.env.LOCALAPPDATA && path.join(process.env.LOCALAPPDATA, 'headlight-dev');
  }
  if (process.platform === 'darwin') {
    return path.join(os.homedir(), 'Library', 'Caches', 'headlight-dev');
  }
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'headlight-dev');
}

/** @param {string} folder */
function isWritable(folder) {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} start */
function findRoot(start) {
  for (let folder = start; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'scripts', 'project.mjs'))) {
      return folder;
    }
    if (folder === path.dirname(folder)) {
      throw new Error(`The project's root was not found above ${start}.`);
    }
  }
}
