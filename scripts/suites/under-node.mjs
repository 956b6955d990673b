// The suites that mocha runs under plain Node.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { projectCache, root } from '../project.mjs';
import { readReport } from './report.mjs';

/**
 * @param {string} name Folder under dist/test/.
 * @param {{ grep?: string, timeoutMs: number, retries?: number, env?: Record<string, string> }} options
 * @returns {Promise<import('./report.mjs').SuiteReport>}
 */
export async function runUnderNode(name, { grep, timeoutMs, retries = 0, env }) {
  const folder = path.join(root, 'dist', 'test', name);
  const files = testFiles(folder);
  if (files.length === 0) {
    return { passed: 0, failed: 0, skipped: 0, failures: [] };
  }
  const report = path.join(projectCache, `report-${process.pid}-${name}.json`);
  mkdirSync(projectCache, { recursive: true });
  const mocha = path.join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const child = spawn(
    process.execPath,
    [
      mocha,
      ...['--reporter', path.join(root, 'scripts', 'suites', 'counting-reporter.cjs')],
      ...['--timeout', String(timeoutMs)],
      ...['--retries', String(retries)],
      ...(process.stdout.isTTY ? ['--color'] : []),
      ...(grep ? ['--grep', grep] : []),
      // What a test forgot to end must not keep the run from ending.
      '--exit',
      ...files,
    ],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env, HEADLIGHT_TEST_REPORT: report, NODE_OPTIONS: '--enable-source-maps' },
    },
  );
  const end = () => child.kill();
  process.once('exit', end);
  /** @type {string} */
  const ended = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ? `ended by ${signal}` : `exit code ${code}`));
  });
  process.off('exit', end);
  try {
    return readReport(report, `the ${name} tests did not run to their end (${ended})`);
  } finally {
    rmSync(report, { force: true });
  }
}

/** @param {string} folder */
function testFiles(folder) {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.mjs'))
      .sort()
      .map((file) => path.join(folder, file));
  } catch {
    return [];
  }
}
