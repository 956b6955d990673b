// Bundles the three processes (extension host, engine, panel) into dist/, and with `--tests` the test suites too.
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** @type {import('esbuild').BuildOptions} */
const shared = {
  absWorkingDir: root,
  bundle: true,
  sourcemap: 'linked',
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
 * @param {import('esbuild').BuildOptions} options
 */
function modules(options) {
  return build({
    ...shared,
    format: 'esm',
    splitting: true,
    outExtension: { '.js': '.mjs' },
    external: ['onnxruntime-node', 'mocha', 'playwright-core', 'esbuild', 'vscode', '@huggingface/transformers'],
    banner: requireForModules,
    ...options,
  });
}

/** @param {{ tests?: boolean, minify?: boolean }} [options] */
export async function buildAll({ tests = false, minify = false } = {}) {
  await rm(path.join(root, 'dist'), { recursive: true, force: true });
  const product = [
    build({
      ...shared,
      minify,
      entryPoints: { extension: 'src/extension.ts' },
      outdir: 'dist',
      format: 'cjs',
      external: ['vscode'],
    }),
    modules({ minify, entryPoints: { server: 'src/engine/main.ts', cli: 'src/cli.ts' }, outdir: 'dist/engine' }),
    build({
      ...shared,
      minify,
      entryPoints: { panel: 'webview/main.tsx' },
      outdir: 'dist/webview',
      format: 'iife',
      platform: 'browser',
      target: 'chrome128',
      jsx: 'automatic',
      jsxImportSource: 'preact',
    }),
  ];
  const suites = [
    modules({ entryPoints: ['test/unit/**/*.test.ts'], outbase: 'test/unit', outdir: 'dist/test/unit' }),
    modules({ entryPoints: ['test/panel/**/*.test.ts'], outbase: 'test/panel', outdir: 'dist/test/panel' }),
    modules({ entryPoints: ['test/bench/**/*.bench.ts'], outbase: 'test/bench', outdir: 'dist/test/bench' }),
    build({
      ...shared,
      entryPoints: ['test/editor/run.ts'],
      outdir: 'dist/test/editor',
      format: 'cjs',
      external: ['vscode', 'mocha'],
    }),
  ];
  await Promise.all(tests ? [...product, ...suites] : product);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = performance.now();
  await buildAll({ tests: process.argv.includes('--tests'), minify: process.argv.includes('--minify') });
  console.log(`Built dist/ in ${Math.round(performance.now() - started)} ms`);
}
