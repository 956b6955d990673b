// Makes sure that node_modules is what package-lock.json says.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { explain } from './failure.mjs';
import { holding } from './lock.mjs';
import { npm } from './processes.mjs';
import { showing } from './progress.mjs';
import { projectCache, root } from './project.mjs';

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {boolean} [optional]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {string[]} [libc]
 */

/** Installs the dependencies where they are missing or not the locked ones. */
export async function installDependencies() {
  if (areInstalled()) {
    return;
  }
  await holding(path.join(projectCache, 'install.lock'), async () => {
    if (areInstalled()) {
      return;
    }
    try {
      await showing('Installing the dependencies', () =>
        // CPU and WebGPU come inside the package; what the script would fetch is for CUDA alone.
        npm(['ci', '--no-audit', '--no-fund'], { cwd: root, env: { ONNXRUNTIME_NODE_INSTALL: 'skip' } }),
      );
    } catch (error) {
      throw explain('The dependencies could not be installed', error);
    }
  });
}

/** npm leaves a record of what it has installed; no stamp of our own can be as right. */
function areInstalled() {
  const wanted = readPackages('package-lock.json');
  const installed = readPackages(path.join('node_modules', '.package-lock.json'));
  if (!wanted || !installed) {
    return false;
  }
  return Object.entries(wanted).every(
    ([folder, locked]) => folder === '' || !isNeeded(locked) || installed[folder]?.version === locked.version,
  );
}

/**
 * An optional package may fail to install; those made for just this platform may not.
 * @param {LockedPackage} locked
 */
function isNeeded({ optional, os, cpu, libc }) {
  return !optional || Boolean(os?.includes(process.platform) && cpu?.includes(process.arch) && !libc);
}

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage> | null}
 */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(path.join(root, file), 'utf8')).packages;
  } catch {
    return null;
  }
}
