// A Chromium for the tests: the one that is there, else Debian's, else Playwright's own download.
import { accessSync, constants, existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { explain } from './failure.mjs';
import { findOnPath } from './find-on-path.mjs';
import { holding } from './lock.mjs';
import { run } from './processes.mjs';
import { showing } from './progress.mjs';
import { downloads, root } from './project.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'microsoft-edge'];
const PLACES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/**
 * Letters, emoji and Chinese, so that the screenshots show what a person sees. WenQuanYi Micro Hei for Chinese: 2 MB
 * where the Noto collection is 57.
 */
const DEBIAN_PACKAGES = ['chromium', 'fonts-dejavu-core', 'fonts-noto-color-emoji', 'fonts-wqy-microhei'];

/**
 * @returns {Promise<string>} Path of the executable.
 */
export async function installChromium() {
  const found = await findChromium();
  if (found) {
    return found;
  }
  try {
    if (isDebianRoot()) {
      await installFromDebian('Installing Chromium (once)', DEBIAN_PACKAGES, async () => !(await findChromium()));
    } else {
      await holding(lock(), async () => {
        if (!(await findChromium())) {
          await showing('Installing Chromium (once)', installFromPlaywright);
        }
      });
    }
  } catch (error) {
    throw explain('Chromium could not be installed', error);
  }
  const installed = await findChromium();
  if (!installed) {
    throw explain('Chromium could not be installed', 'install Chrome or Chromium so that it is on the PATH');
  }
  return installed;
}

/** @returns {Promise<string | null>} */
export async function findChromium() {
  const own = process.env.HEADLIGHT_CHROMIUM;
  if (own) {
    return own;
  }
  for (const name of NAMES) {
    const found = findOnPath(name);
    if (found) {
      return found;
    }
  }
  const { chromium } = await import('playwright-core');
  return [...PLACES, chromium.executablePath()].find(isExecutable) ?? null;
}

/** Whether this is a Debian whose packages this user may install. */
export function isDebianRoot() {
  return existsSync('/etc/debian_version') && findOnPath('apt-get') !== null && process.getuid?.() === 0;
}

function lock() {
  return path.join(downloads(), 'chromium.lock');
}

/** Whether apt-get knows by now which packages there are: asked once a run. */
let isListed = false;

/**
 * @param {string} title
 * @param {string[]} packages
 * @param {() => Promise<boolean>} [stillMissing] Asked once no other run is installing.
 */
export async function installFromDebian(title, packages, stillMissing = async () => true) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await holding(lock(), async () => {
    if (await stillMissing()) {
      await showing(title, async (detail) => {
        if (!isListed) {
          detail('the list of packages');
          await run('apt-get', ['update', '-q'], { env });
          isListed = true;
        }
        detail('the packages');
        await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], { env });
      });
    }
  });
}

async function installFromPlaywright() {
  const cli = path.join(root, 'node_modules', 'playwright-core', 'cli.js');
  await run(process.execPath, [cli, 'install', 'chromium'], { cwd: os.tmpdir() });
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Chromium's sandbox does not work for root, and only for root it is left out. */
export function chromiumArguments() {
  return process.getuid?.() === 0 ? ['--no-sandbox'] : [];
}
