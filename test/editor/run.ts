import { readdirSync } from 'node:fs';
import path from 'node:path';
import { format } from 'node:util';
import Mocha from 'mocha';
import CountingReporter from '../../scripts/suites/counting-reporter.cjs';

const TIMEOUT_MS = 60_000;
/** A workbench that starts up beside the tests moves the focus or a selection now and then. */
const RETRIES = 2;

/** What VS Code calls in its extension host: runs every test file that was built next to this one. */
export async function run(): Promise<void> {
  const grep = process.env.HEADLIGHT_TEST_GREP;
  const mark = process.env.HEADLIGHT_TEST_MARK;
  if (mark) {
    // The console of an extension host is everybody's; the outer runner wants the report alone.
    Mocha.reporters.Base.consoleLog = (...args: unknown[]) => console.log(mark + format(...args));
  }
  const mocha = new Mocha({
    ui: 'bdd',
    timeout: TIMEOUT_MS,
    retries: RETRIES,
    color: false,
    reporter: CountingReporter,
    ...(grep ? { grep } : {}),
  });
  for (const file of readdirSync(__dirname).sort()) {
    if (file.endsWith('.test.js')) {
      mocha.addFile(path.join(__dirname, file));
    }
  }
  const failures = await new Promise<number>((resolve) => {
    mocha.run(resolve);
  });
  if (failures > 0) {
    throw new Error(`${failures} failed`);
  }
}
