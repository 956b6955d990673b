// The licences of everything that a package ships and that others wrote.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './failure.mjs';
import { root } from './project.mjs';

/** Packages that come without a licence file; the text is that of their repository. */
const WITHOUT_FILE = [{ names: /^(onnxruntime-(node|common)|@microsoft\/fast-.*)$/, file: 'microsoft-mit.txt' }];

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
  const kept = WITHOUT_FILE.find(({ names }) => names.test(name));
  if (!kept) {
    throw new Failure(
      `${folder} has no licence file; put its text into scripts/licences and name it in scripts/third-party-notices.mjs.`,
    );
  }
  return readFileSync(path.join(root, 'scripts', 'licences', kept.file), 'utf8').trim();
}
