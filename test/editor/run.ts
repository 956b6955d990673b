import { readdirSync } from 'node:fs';
import path from 'node:path';
import Mocha from 'mocha';
import CountingReporter from '../../scripts/suites/counting-reporter.cjs';

const TIMEOUT_MS = 60_000;

/** What VS Code calls in its extension host: runs every test file that was built next to this one. */
export async function run(): Promise<void> {
  const grep = process.env.HEADLIGHT_TEST_GREP;
  const mocha = new Mocha({
    ui: 'bdd',
    timeout: TIMEOUT_MS,
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
