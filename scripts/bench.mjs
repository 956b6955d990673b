// `npm run bench`: what was measured, as one table with the machine it was measured on.
import { fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Failure, runMain } from './failure.mjs';
import { prepare } from './prepare.mjs';
import { showing } from './progress.mjs';
import { root } from './project.mjs';

const HELP = `npm run bench [-- NAME… OPTIONS]

Runs the benches of test/bench, or those named, one after the other and each in a process of its own.

  --device D  a device against the CPU instead: cuda, webgpu, dml or coreml
  --short     that with small sizes, for a driver that computes on the processor
  --software  that on the software driver of the tests (webgpu, Linux)
  --json      the measurements as JSON instead of a table
  --help      this page`;

/** Needs `--device`, and is run only with it. */
const DEVICE_BENCH = 'device';
/** @type {import('../src/protocol/device.ts').Device[]} */
const DEVICES = ['cuda', 'webgpu', 'dml', 'coreml'];

const folder = path.join(root, 'dist', 'test', 'bench');
const ENDING = '.bench.mjs';

/** @typedef {import('../test/bench/bench.ts').Measurement} Measurement */
/** @typedef {{ name: string, measurements: Measurement[], error: string | null }} Outcome */

async function main() {
  const { values, positionals } = readArguments();
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  await prepare({ tests: true });
  const outcomes = [];
  const { short = false } = values;
  const device = DEVICES.find((known) => known === values.device) ?? null;
  for (const name of device === null ? chosenBenches(positionals) : [DEVICE_BENCH]) {
    const env = device === null ? process.env : await deviceEnvironment(values);
    outcomes.push(await showing(`Bench: ${name}`, () => runBench(name, { device, short }, env)));
  }
  console.log(values.json ? JSON.stringify({ machine: machine(), outcomes }, null, 2) : page(outcomes));
  const isGood = outcomes.every(({ error, measurements }) => error === null && measurements.every(isWithin));
  return isGood ? 0 : 1;
}

function readArguments() {
  try {
    const options = parseArgs({
      allowPositionals: true,
      options: {
        device: { type: 'string' },
        short: { type: 'boolean' },
        software: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    const { device, short, software } = options.values;
    if (device === undefined && (short || software)) {
      throw new Error('--short and --software go with --device');
    }
    if (device !== undefined && !DEVICES.some((known) => known === device)) {
      throw new Error(`There is no device ${device} to measure, only ${DEVICES.join(', ')}`);
    }
    if (device !== undefined && options.positionals.length > 0) {
      throw new Error(`--device has a bench of its own; leave ${options.positionals.join(' and ')} out`);
    }
    return options;
  } catch (error) {
    throw new Failure(`${error.message.split('. ')[0]}. npm run bench -- --help shows what can be said.`);
  }
}

/** @param {string[]} names */
function chosenBenches(names) {
  const all = readdirSync(folder)
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .filter((name) => name !== DEVICE_BENCH)
    .sort();
  const unknown = names.find((name) => !all.includes(name));
  if (unknown) {
    throw new Failure(`There is no bench ${unknown}, only ${all.join(', ')}.`);
  }
  return names.length > 0 ? names : all;
}

/**
 * A driver and libraries are looked for where the environment says when a process starts.
 * @param {{ software?: boolean }} options
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
async function deviceEnvironment({ software }) {
  const { environment } = await import(pathToFileURL(path.join(folder, DEVICE_BENCH + ENDING)).href);
  if (!software) {
    return environment();
  }
  const { softwareVulkan } = await import('./software-vulkan.mjs');
  const driver = await softwareVulkan();
  if ('reason' in driver) {
    throw new Failure(driver.reason);
  }
  return { ...environment(), ...driver.env };
}

/**
 * A process of its own, so that no bench finds the memory or the caches of another.
 * @param {string} name
 * @param {import('../test/bench/bench.ts').BenchOptions} options
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Outcome>}
 */
function runBench(name, options, env) {
  const file = path.join(folder, name + ENDING);
  const child = fork(path.join(root, 'scripts', 'bench-process.mjs'), [file, JSON.stringify(options)], {
    env,
    // What a bench prints itself is no part of the table.
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    execArgv: ['--expose-gc', '--enable-source-maps'],
    serialization: 'advanced',
  });
  const end = () => child.kill();
  process.once('exit', end);
  return new Promise((resolve) => {
    /** @type {Outcome} */
    let outcome = { name, measurements: [], error: 'it said nothing' };
    child.on('message', (message) => {
      outcome = { name, .../** @type {Omit<Outcome, 'name'>} */ (message) };
    });
    child.once('error', (error) => {
      outcome.error = error.message;
    });
    child.once('close', (_code, signal) => {
      process.off('exit', end);
      resolve(signal ? { ...outcome, error: `ended by ${signal}` } : outcome);
    });
  });
}

/** @param {Outcome[]} outcomes */
function page(outcomes) {
  const rows = outcomes.flatMap(({ measurements }) => measurements.map(cells));
  const head = ['what', 'measured', 'limit', '', 'detail'];
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at].length)));
  const line = (/** @type {string[]} */ row) =>
    row
      .map((cell, at) => (at === 1 || at === 2 ? cell.padStart(widths[at]) : cell.padEnd(widths[at])))
      .join('  ')
      .trimEnd();
  const failures = outcomes.filter(({ error }) => error !== null).map(({ name, error }) => `${name} failed: ${error}`);
  return [
    machine(),
    '',
    line(head),
    line(widths.map((width) => '─'.repeat(width))),
    ...rows.map(line),
    ...(failures.length > 0 ? ['', ...failures] : []),
  ].join('\n');
}

/** @param {Measurement} measurement */
function cells(measurement) {
  const { what, value, unit, limit, detail } = measurement;
  const bound = limit === null ? '' : 'atMost' in limit ? `≤ ${limit.atMost}` : `≥ ${limit.atLeast}`;
  return [what, inUnit(value, unit), bound, limit === null ? '' : isWithin(measurement) ? 'ok' : 'MISSED', detail];
}

/**
 * @param {number} value
 * @param {Measurement['unit']} unit
 */
function inUnit(value, unit) {
  return unit === 'ratio' ? `${value.toFixed(2)} ×` : `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}

/** @param {Measurement} measurement */
function isWithin({ value, limit }) {
  return limit === null || ('atMost' in limit ? value <= limit.atMost : value >= limit.atLeast);
}

/** What the figures depend on, and how busy the machine was with other work. */
function machine() {
  const processors = os.cpus();
  const runtime = path.join(root, 'node_modules', 'onnxruntime-node', 'package.json');
  const { version } = JSON.parse(readFileSync(runtime, 'utf8'));
  return [
    `${processors[0]?.model.trim() ?? 'unknown processor'}, ${processors.length} cores`,
    `${Math.round(os.totalmem() / 2 ** 30)} GB memory`,
    `${os.type()} ${os.release()} ${os.arch()}`,
    `Node ${process.versions.node}`,
    `onnxruntime ${version}`,
    `load ${os.loadavg()[0].toFixed(1)} at the end`,
  ].join(' · ');
}

await runMain(main);
