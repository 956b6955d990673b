// Bundles the three processes (extension host, engine, panel) into dist/, and with `--tests` the test suites too.
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** @typedef {import('esbuild').BuildOptions & { outdir: string }} Bundle */

/** @type {import('esbuild').BuildOptions} */
const shared = {
  absWorkingDir: root,
  bundle: true,
  metafile: true,
  logLevel: 'warning',
  legalComments: 'none',
  target: 'node20',
  platform: 'node',
};

/** CommonJS packages inside an ES module bundle still call `require`. */
const requireForModules = {
  js: "import { createRequire as createRequireForBundle } from 'node:module'; const require = createRequireForBundle(import.meta.url);",
};

/**
 * ES modules with code splitting, so that a large vocabulary is read only when it is used.
 * @param {Bundle} bundle
 * @returns {Bundle}
 */
function modules(bundle) {
  return {
    format: 'esm',
    splitting: true,
    outExtension: { '.js': '.mjs' },
    external: ['onnxruntime-node', 'mocha', 'playwright-core', 'esbuild', 'vscode', '@huggingface/transformers'],
    banner: requireForModules,
    ...bundle,
  };
}

/**
 * @param {string} outdir
 * @param {boolean} minify
 * @returns {Bundle[]}
 */
function product(outdir, minify) {
  return [
    {
      minify,
      entryPoints: { extension: 'src/extension.ts' },
      outdir,
      format: 'cjs',
      external: ['vscode'],
    },
    modules({
      minify,
      entryPoints: { server: 'src/engine/main.ts', cli: 'src/cli.ts' },
      outdir: path.join(outdir, 'engine'),
    }),
    {
      minify,
      entryPoints: { panel: 'webview/main.tsx' },
      outdir: path.join(outdir, 'webview'),
      format: 'iife',
      platform: 'browser',
      target: 'chrome128',
      jsx: 'automatic',
      jsxImportSource: 'preact',
    },
  ];
}

/**
 * The suites that run under plain Node, and the one that runs inside the extension host.
 * @param {string} outdir
 * @returns {Promise<Bundle[]>}
 */
async function suites(outdir) {
  const plain = await Promise.all([
    suite('unit', '.test.ts', outdir),
    suite('parity', '.test.ts', outdir),
    suite('devices', '.test.ts', outdir),
    suite('panel', '.test.ts', outdir),
    suite('bench', '.bench.ts', outdir),
  ]);
  const inEditor = await testFiles('editor', '.test.ts');
  return [
    ...plain.filter((bundle) => bundle !== null),
    {
      entryPoints: ['test/editor/run.ts', ...inEditor],
      outbase: 'test/editor',
      outdir: path.join(outdir, 'editor'),
      format: 'cjs',
      external: ['vscode', 'mocha'],
    },
    {
      entryPoints: ['test/bench/in-editor.ts'],
      outdir: path.join(outdir, 'bench'),
      format: 'cjs',
      external: ['vscode'],
    },
  ];
}

/**
 * @param {string} name Folder under test/.
 * @param {string} ending Of the files that a runner loads.
 * @param {string} outdir
 * @returns {Promise<Bundle | null>} Null where there is no such file.
 */
async function suite(name, ending, outdir) {
  const entryPoints = await testFiles(name, ending);
  return entryPoints.length === 0
    ? null
    : modules({
        entryPoints,
        outbase: path.join('test', name),
        outdir: path.join(outdir, name),
        jsx: 'automatic',
        jsxImportSource: 'preact',
      });
}

/**
 * @param {string} name Folder under test/.
 * @param {string} ending
 */
async function testFiles(name, ending) {
  const folder = path.join('test', name);
  const files = await filesUnder(path.join(root, folder));
  return files.filter((file) => file.endsWith(ending)).map((file) => path.join(folder, file));
}

/**
 * Files that are being used by a running Headlight stay in their place unless they changed: what is no longer part of
 * the bundles goes after the build, not before.
 * @param {{ tests?: boolean, minify?: boolean, outdir?: string }} [options]
 * @returns {Promise<{ sources: string[] }>} Every file that went into the bundles, relative to the root.
 */
export async function buildAll({ tests = false, minify = false, outdir = 'dist' } = {}) {
  const bundles = [...product(outdir, minify), ...(tests ? await suites(path.join(outdir, 'test')) : [])];
  // What is shipped needs no maps.
  const sourcemap = minify ? false : 'linked';
  const results = await Promise.all(bundles.map((bundle) => build({ ...shared, sourcemap, ...bundle })));
  const written = new Set(results.flatMap(({ metafile }) => Object.keys(metafile?.outputs ?? {})));
  const folder = path.resolve(root, outdir);
  for (const file of await filesUnder(folder)) {
    if (!written.has(path.relative(root, path.join(folder, file)).replaceAll(path.sep, '/'))) {
      await rm(path.join(folder, file), { force: true });
    }
  }
  return { sources: [...new Set(results.flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {})))] };
}

/**
 * @param {string} folder
 * @returns {Promise<string[]>} Relative to the folder; none where there is no such folder.
 */
async function filesUnder(folder) {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)));
  } catch (error) {
    if (error.code === 'ENOENT') {
      return [];
    }
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = performance.now();
  await buildAll({ tests: process.argv.includes('--tests'), minify: process.argv.includes('--minify') });
  console.log(`Built dist/ in ${Math.round(performance.now() - started)} ms`);
}
