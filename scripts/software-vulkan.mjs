// A Vulkan driver that computes on the processor, so that WebGPU can be tested where there is no GPU: SwiftShader, which
// comes with Chromium.
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { findChromium, installFromDebian, isDebianRoot } from './chromium.mjs';
import { explain } from './failure.mjs';

const MANIFEST = 'vk_swiftshader_icd.json';
const LOADER = 'libvulkan.so.1';
/** Chromium's own part is enough: the browser itself is not needed for this. */
const DEBIAN_PACKAGES = ['chromium-common', 'libvulkan1'];
const PLACES = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome', '/usr/lib64/chromium-browser'];

/**
 * What a process needs in its environment to find that driver, and no other.
 * @returns {Promise<{ env: Record<string, string> } | { reason: string }>}
 */
export async function softwareVulkan() {
  if (process.platform !== 'linux') {
    return { reason: `no software Vulkan driver is known for ${process.platform}` };
  }
  if (!(await manifest()) || !hasLoader()) {
    if (!isDebianRoot()) {
      return {
        reason: `${LOADER} and ${MANIFEST} are not there; install the packages ${DEBIAN_PACKAGES.join(' and ')}`,
      };
    }
    try {
      await installFromDebian('Installing a software Vulkan driver (once)', DEBIAN_PACKAGES);
    } catch (error) {
      throw explain('A software Vulkan driver could not be installed', error);
    }
  }
  const found = await manifest();
  return found && hasLoader()
    ? { env: { VK_ICD_FILENAMES: found } }
    : { reason: `${DEBIAN_PACKAGES.join(' and ')} are there without ${LOADER} and ${MANIFEST}` };
}

/** @returns {Promise<string | undefined>} */
async function manifest() {
  const chromium = await findChromium();
  const beside = chromium && existsSync(chromium) ? [path.dirname(realpathSync(chromium))] : [];
  return [...PLACES, ...beside].map((folder) => path.join(folder, MANIFEST)).find((file) => existsSync(file));
}

/** Where the dynamic linker looks. */
function hasLoader() {
  const folders = ['/lib', '/usr/lib', '/lib64', '/usr/lib64', '/usr/local/lib', ...multiarch('/usr/lib')];
  return folders.some((folder) => existsSync(path.join(folder, LOADER)));
}

/** @param {string} folder */
function multiarch(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('-linux-gnu'))
    .map((name) => path.join(folder, name));
}
