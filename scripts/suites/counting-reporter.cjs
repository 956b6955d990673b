// Mocha's own report for people, and the counts for the outer runner: in the file that HEADLIGHT_TEST_REPORT names.
const { writeFileSync } = require('node:fs');
const { reporters } = require('mocha');

/** @typedef {{ passed: number, failed: number, skipped: number, failures: string[] }} SuiteReport */

class CountingReporter extends reporters.Spec {
  /**
   * @param {import('mocha').Runner} runner
   * @param {import('mocha').MochaOptions} options
   */
  constructor(runner, options) {
    super(runner, options);
    const file = process.env.HEADLIGHT_TEST_REPORT;
    /** @type {string[]} */
    const failures = [];
    // An attempt that is made again leaves no other trace.
    runner.on('retry', (test, error) => console.log(`    made again: ${test.title}: ${error.stack ?? error.message}`));
    runner.on('fail', (test) => failures.push(test.fullTitle()));
    runner.once('end', () => {
      if (file) {
        /** @type {SuiteReport} */
        const report = {
          passed: runner.stats?.passes ?? 0,
          // A failed hook counts too: it is one failure, however many tests it kept from running.
          failed: failures.length,
          skipped: runner.stats?.pending ?? 0,
          failures,
        };
        writeFileSync(file, JSON.stringify(report));
      }
    });
  }
}

module.exports = CountingReporter;
