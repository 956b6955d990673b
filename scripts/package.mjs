// `npm run package`: a VSIX for the platform it runs on, with that platform's runtime alone.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { explain, Failure, runMain } from './failure.mjs';
import { prepare } from './prepare.mjs';
import { showing } from './progress.mjs';
import { projectCache, root } from './project.mjs';

const target = `${process.platform}-${process.arch}`;
/** The extension as it is shipped is laid out here, so that a running dist/ stays as it is. */
const stage = path.join(projectCache, 'package', target);
const RUNTIME = ['onnxruntime-node', 'onnxruntime-common'];
const BINARIES = path.join('node_modules', 'onnxruntime-node', 'bin', 'napi-v6');

async function main() {
  await prepare();
  const binaries = path.join(BINARIES, process.platform, process.arch);
  if (!existsSync(path.join(root, binaries))) {
    throw new Failure(`The runtime has no binaries for ${target}, so no package can be made on it.`);
  }
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  const sources = await bundle();
  const manifest = copyFiles(binaries);
  writeFileSync(
    path.join(stage, 'THIRD-PARTY-NOTICES.txt'),
    (await import('./third-party-notices.mjs')).thirdPartyNotices(sources, RUNTIME),
  );
  const file = path.join(root, `${manifest.name}-${manifest.version}-${target}.vsix`);
  const { createVSIX } = await import('@vscode/vsce');
  try {
    await showing('Packing', () =>
      createVSIX({
        cwd: stage,
        packagePath: file,
        target,
        allowMissingRepository: true,
        rewriteRelativeLinks: Boolean(manifest.repository),
      }),
    );
  } catch (error) {
    throw explain('The package could not be made', error);
  }
  console.log(sizes(stage));
  console.log(`\n${path.relative(root, file)}: ${megabytes(statSync(file).size)}`);
}

async function bundle() {
  const { buildAll } = await import('./build.mjs');
  const outdir = path.relative(root, path.join(stage, 'dist'));
  const { sources } = await showing('Building', () => buildAll({ minify: true, outdir }));
  return sources;
}

/** @param {string} binaries */
function copyFiles(binaries) {
  for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE', '.vscodeignore', 'media', 'models']) {
    if (existsSync(path.join(root, name))) {
      cpSync(path.join(root, name), path.join(stage, name), { recursive: true, dereference: true });
    }
  }
  copyCode('onnxruntime-node');
  copyCode('onnxruntime-common');
  cpSync(path.join(root, binaries), path.join(stage, binaries), { recursive: true });
  dropDoubles(path.join(stage, binaries));
  const runtimeVersion = readManifest(path.join(root, 'node_modules', 'onnxruntime-node')).version;
  const { scripts: _scripts, devDependencies: _devDependencies, ...manifest } = readManifest(root);
  // The rest is in the bundles.
  manifest.dependencies = { 'onnxruntime-node': runtimeVersion };
  writeManifest(stage, manifest);
  return manifest;
}

/**
 * A package of the runtime without its binaries, types and what its installation alone needs.
 * @param {string} name
 */
function copyCode(name) {
  const from = path.join(root, 'node_modules', name);
  const to = path.join(stage, 'node_modules', name);
  const { scripts: _scripts, devDependencies: _devDependencies, dependencies = {}, ...manifest } = readManifest(from);
  const kept = Object.entries(dependencies).filter(([dependency]) => RUNTIME.includes(dependency));
  cpSync(path.join(from, 'dist'), path.join(to, 'dist'), {
    recursive: true,
    // Of onnxruntime-common the CommonJS build is what Node loads.
    filter: (file) =>
      !/\.(map|d\.ts)$/.test(file) && !(name === 'onnxruntime-common' && /\bdist[\\/](esm|.*\.min\.)/.test(file)),
  });
  writeManifest(to, { ...manifest, dependencies: Object.fromEntries(kept) });
}

/**
 * The same library under two names doubles its size; the binding asks for the one with the major version alone.
 * @param {string} folder
 */
function dropDoubles(folder) {
  const files = readdirSync(folder);
  for (const file of files) {
    const short = file.replace(/^(libonnxruntime\.\d+)\.\d+\.\d+(\.dylib)$/, '$1$2');
    if (short !== file && files.includes(short)) {
      rmSync(path.join(folder, file));
    }
  }
}

/** @param {string} folder */
function readManifest(folder) {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
}

/**
 * @param {string} folder
 * @param {unknown} manifest
 */
function writeManifest(folder, manifest) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** @param {string} folder */
function sizes(folder) {
  return ['dist', 'models', 'node_modules', 'media']
    .filter((name) => existsSync(path.join(folder, name)))
    .map((name) => `${name.padEnd(14)}${megabytes(sizeOf(path.join(folder, name))).padStart(10)}`)
    .join('\n');
}

/**
 * @param {string} folder
 * @returns {number}
 */
function sizeOf(folder) {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const file = path.join(folder, entry.name);
    return sum + (entry.isDirectory() ? sizeOf(file) : statSync(file).size);
  }, 0);
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

await runMain(main);
