// The licences of everything that a package ships and that others wrote.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './project.mjs';

/** Packages that ship their binaries without a licence file; the text is their repository's. */
const WITHOUT_FILE = new Map([
  ['onnxruntime-node', 'onnxruntime.txt'],
  ['onnxruntime-common', 'onnxruntime.txt'],
]);

/**
 * @param {readonly string[]} sources Files that went into the bundles, relative to the root.
 * @param {readonly string[]} shipped Packages that are shipped as they are.
 */
export function thirdPartyNotices(sources, shipped) {
  const folders = new Set(shipped.map((name) => `node_modules/${name}`));
  for (const source of sources) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(source)?.[0];
    if (folder) {
      folders.add(folder);
    }
  }
  const notices = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
    return `${name} ${version} (${license})\n\n${licenceText(folder, name)}`;
  });
  const line = `\n\n${'-'.repeat(80)}\n\n`;
  return `Headlight contains work of others, under these licences.${line}${notices.join(line)}\n`;
}

/**
 * @param {string} folder
 * @param {string} name
 */
function licenceText(folder, name) {
  const own = readdirSync(path.join(root, folder)).find((file) => /^licen[cs]e/i.test(file));
  if (own) {
    return readFileSync(path.join(root, folder, own), 'utf8').trim();
  }
  const kept = WITHOUT_FILE.get(name);
  if (!kept) {
    throw new Error(`${folder} has no licence file; add its text to scripts/licences and name it in ${import.meta.url}`);
  }
  return readFileSync(path.join(root, 'scripts', 'licences', kept), 'utf8').trim();
}
