// Child processes that end when their parent does.
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** A child process that did not end well, with the end of what it printed. */
export class CommandFailure extends Error {
  /**
   * @param {string} command
   * @param {string} output
   */
  constructor(command, output) {
    super(`${command} failed: ${lastWords(output)}`);
    this.name = 'CommandFailure';
    // Not shown when the error is printed: it may be long.
    Object.defineProperty(this, 'output', { value: output });
  }
}

/** @type {Set<ChildProcess>} */
const groups = new Set();
let watching = false;
let interruptCode = 130;

/**
 * For a command that is meant to be ended with Ctrl+C.
 * @param {number} code
 */
export function exitCodeOnInterrupt(code) {
  interruptCode = code;
}

/**
 * Starts a process in a group of its own, so that it can be ended together with everything it has started.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {ChildProcess}
 */
export function startGroup(command, args, options = {}) {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    ...options,
    detached: process.platform !== 'win32',
  });
  groups.add(child);
  child.once('exit', () => endGroup(child));
  child.once('error', () => groups.delete(child));
  if (!watching) {
    watching = true;
    process.once('exit', () => {
      for (const one of groups) {
        endGroup(one);
      }
    });
    for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) {
      process.once(signal, () => process.exit(1));
    }
    process.once('SIGINT', () => process.exit(interruptCode));
  }
  return child;
}

/**
 * Ends a group at once. Does nothing where it has ended already.
 * @param {ChildProcess} child
 */
export function endGroup(child) {
  if (!groups.delete(child) || child.pid === undefined) {
    return;
  }
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/pid', String(child.pid), '/t', '/f'], { stdio: 'ignore', windowsHide: true });
    return;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The whole group has ended already.
  }
}

/**
 * Runs a command to its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<string>} What it printed.
 */
export function run(command, args, options) {
  const child = startGroup(command, args, options);
  let output = '';
  const collect = (/** @type {Buffer} */ chunk) => {
    output += chunk;
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) {
        resolve(output);
      } else {
        reject(new CommandFailure([path.basename(command), ...args.slice(0, 2)].join(' '), output));
      }
    });
  });
}

/**
 * Runs npm, the same one that runs this script where that is known.
 * @param {readonly string[]} args
 * @param {{ cwd: string, env?: Record<string, string> }} options
 */
export function npm(args, { cwd, env = {} }) {
  const options = { cwd, env: { ...withoutNpmRun(process.env), ...env } };
  const cli = process.env.npm_execpath;
  if (cli && /npm-cli\.[cm]?js$/.test(cli)) {
    return run(process.execPath, [cli, ...args], options);
  }
  return run('npm', args, { ...options, shell: process.platform === 'win32' });
}

/**
 * The environment without what `npm run` adds about the project it runs in: another folder's npm must not see it.
 * @param {NodeJS.ProcessEnv} env
 */
function withoutNpmRun(env) {
  const foreign = /^npm_(lifecycle|package|command|config_(local_prefix|omit_lockfile|onnxruntime))/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.test(name)));
}

/**
 * The line that says what was wrong: npm and apt name their errors, others end with them.
 * @param {string} output
 */
function lastWords(output) {
  const lines = output.split('\n').map((line) => line.trim());
  const named = lines.find((line) => /^(npm error (?!(code|errno|syscall|path|dest)\b)|E: )\S/.test(line));
  return named ?? lines.findLast((line) => line !== '') ?? 'it printed nothing';
}
