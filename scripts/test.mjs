// `npm test`: every suite, one after the other; the last line adds them up.
import { parseArgs } from 'node:util';
import { explain, Failure, runMain } from './failure.mjs';
import { prepare } from './prepare.mjs';
import { failedToRun } from './suites/report.mjs';

const HELP = `npm test [-- SUITE… OPTIONS]

Suites: unit, parity (the engine against a plain reference), devices (the GPU, on a software driver), editor (in the extension host, on the oldest and the newest
VS Code), panel (the real workbench in Chromium). Without a name all of them run. What is missing is installed.

  --grep X    only tests whose full title matches X
  --desktop   the editor tests on the desktop VS Code, downloaded where needed; so by default except on Linux
  --server    the editor tests on the VS Code server
  --help      this page`;

/** The editor and panel tests start programs; a first start on a busy machine is slow. */
const NODE_SUITES = { unit: 20_000, parity: 120_000, devices: 300_000, panel: 90_000 };

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {() => Promise<import('./suites/report.mjs').SuiteReport>} run
 */

async function main() {
  const { chosen, grep, desktop, help } = readArguments();
  if (help) {
    console.log(HELP);
    return 0;
  }
  try {
    await prepare({ tests: true });
  } catch (error) {
    console.error(error instanceof Failure ? error.message : error);
    console.log('\n0 passed, 1 failed');
    return 1;
  }
  const reports = [];
  for (const { name, run } of suites(chosen, grep, desktop)) {
    console.log(`\n━━ ${name}`);
    const started = performance.now();
    const report = await run().catch((error) =>
      failedToRun(error instanceof Failure ? error.message : explain(`The ${name} suite could not run`, error).message),
    );
    const seconds = Math.round((performance.now() - started) / 1000);
    console.log(`${name}: ${counts(report)} (${seconds} s)`);
    reports.push({ name, ...report });
  }
  return addUp(reports);
}

function readArguments() {
  const names = ['unit', 'parity', 'devices', 'editor', 'panel'];
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        grep: { type: 'string', short: 'g' },
        desktop: { type: 'boolean' },
        server: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    const unknown = positionals.find((name) => !names.includes(name));
    if (unknown) {
      throw new Error(`There is no suite ${unknown}, only ${names.join(', ')}`);
    }
    const { grep, help } = values;
    const desktop = values.desktop || (process.platform !== 'linux' && !values.server);
    return { chosen: positionals.length > 0 ? positionals : names, grep, desktop, help };
  } catch (error) {
    throw new Failure(`${error.message.split('. ')[0]}. npm test -- --help shows what can be said.`);
  }
}

/**
 * @param {string[]} chosen
 * @param {string | undefined} grep
 * @param {boolean | undefined} desktop
 * @returns {Suite[]}
 */
function suites(chosen, grep, desktop) {
  return chosen.flatMap((name) => {
    if (name === 'editor') {
      return editorSuites(grep, desktop);
    }
    if (name === 'devices') {
      return [{ name, run: () => runOnSoftwareDriver(name, grep) }];
    }
    const timeoutMs = NODE_SUITES[/** @type {keyof typeof NODE_SUITES} */ (name)];
    // A real workbench, used by keyboard, loses a keystroke now and then on a machine that is busy with other work.
    const retries = name === 'panel' ? 2 : 0;
    return {
      name,
      run: async () => (await import('./suites/under-node.mjs')).runUnderNode(name, { grep, timeoutMs, retries }),
    };
  });
}

/**
 * @param {'devices'} name
 * @param {string | undefined} grep
 */
async function runOnSoftwareDriver(name, grep) {
  const { softwareVulkan } = await import('./software-vulkan.mjs');
  const driver = await softwareVulkan();
  if ('reason' in driver) {
    console.log(`not run: ${driver.reason}`);
    return { passed: 0, failed: 0, skipped: 1, failures: [] };
  }
  const { runUnderNode } = await import('./suites/under-node.mjs');
  return runUnderNode(name, { grep, timeoutMs: NODE_SUITES[name], env: driver.env });
}

/**
 * @param {string | undefined} grep
 * @param {boolean | undefined} desktop
 * @returns {Suite[]}
 */
function editorSuites(grep, desktop) {
  if (desktop) {
    return ['1.100.0', 'stable'].map((version) => ({
      name: `editor, desktop VS Code ${version}`,
      run: async () => {
        const { downloadedDesktop } = await import('./vscode-desktop.mjs');
        const found = await downloadedDesktop(version);
        if ('reason' in found) {
          return failedToRun(`${found.reason}; npm test -- --server needs no download of it`);
        }
        return (await import('./suites/in-editor.mjs')).runInDesktop(found.executable, { grep });
      },
    }));
  }
  return ['OLDEST', 'NEWEST'].map((age) => ({
    name: `editor, ${age.toLowerCase()} VS Code`,
    run: async () => {
      const releases = await import('./vscode-server.mjs');
      const release = releases[/** @type {'OLDEST' | 'NEWEST'} */ (age)];
      return (await import('./suites/in-editor.mjs')).runInServer(release, { grep });
    },
  }));
}

/** @param {import('./suites/report.mjs').SuiteReport} report */
function counts({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** @param {({ name: string } & import('./suites/report.mjs').SuiteReport)[]} reports */
function addUp(reports) {
  const total = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const { name, passed, failed, skipped, failures } of reports) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
    for (const failure of failures) {
      console.log(`\nfailed: ${name}: ${failure}`);
    }
  }
  if (total.passed + total.failed === 0) {
    // A run that tested nothing has shown nothing.
    total.failed = 1;
    console.log('\nfailed: no test was run');
  }
  console.log(`\n${counts(total)}`);
  return total.failed === 0 ? 0 : 1;
}

await runMain(main);
