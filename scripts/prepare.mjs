// Brings a clone to where its commands can run: dependencies installed, dist/ built from the sources as they are.
// Nothing may be installed yet when this file is read, so it imports only modules of Node, and files that do.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { installDependencies } from './dependencies.mjs';
import { Failure } from './failure.mjs';
import { holding } from './lock.mjs';
import { showing } from './progress.mjs';
import { projectCache, root } from './project.mjs';

const OLDEST_NODE = 20;
const STAMP = path.join(root, 'dist', '.build.json');

/**
 * @typedef {object} PrepareOptions
 * @property {boolean} [tests] The test suites too.
 * @property {boolean} [minify] As it is shipped.
 */

/**
 * @param {PrepareOptions} [options]
 */
export async function prepare({ tests = false, minify = false } = {}) {
  const [major] = process.versions.node.split('.');
  if (Number(major) < OLDEST_NODE) {
    throw new Failure(`Node ${OLDEST_NODE} or newer is needed, this is ${process.versions.node}; install a newer one.`);
  }
  await installDependencies();
  await holding(path.join(projectCache, 'build.lock'), () => bringUpToDate({ tests, minify }));
}

/** @param {Required<PrepareOptions>} options */
async function bringUpToDate(options) {
  const sources = fingerprint();
  const last = readStamp();
  const isFresh = last?.sources === sources && last.minify === options.minify && (last.tests || !options.tests);
  if (isFresh) {
    return;
  }
  try {
    const { buildAll } = await import('./build.mjs');
    await showing('Building', () => buildAll(options));
  } catch (error) {
    // esbuild has said already, with file and line, what it did not like.
    const count = error.errors?.length;
    throw count ? new Failure(`The build failed: ${count} ${count === 1 ? 'error' : 'errors'}, shown above.`) : error;
  }
  writeFileSync(STAMP, `${JSON.stringify({ sources, ...options })}\n`);
}

/** @returns {(Required<PrepareOptions> & { sources: string }) | null} */
function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, 'utf8'));
  } catch {
    return null;
  }
}

/** Changes whenever a file changes that the bundles are made from. */
function fingerprint() {
  const hash = createHash('sha256').update(process.version);
  for (const folder of ['src', 'webview', 'test', 'scripts']) {
    const files = readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true });
    for (const file of files) {
      if (file.isFile() && /\.([cm]?[jt]sx?|json|css|svg)$/.test(file.name)) {
        add(path.join(file.parentPath ?? file.path, file.name));
      }
    }
  }
  add(path.join(root, 'package-lock.json'));
  return hash.digest('hex');

  /** @param {string} file */
  function add(file) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${path.relative(root, file)} ${size} ${mtimeMs}\n`);
  }
}
