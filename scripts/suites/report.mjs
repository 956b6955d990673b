// What a suite hands back.
import { readFileSync } from 'node:fs';

/** @typedef {{ passed: number, failed: number, skipped: number, failures: string[] }} SuiteReport */

/**
 * @param {string} file Written by counting-reporter.cjs.
 * @param {string} what Became of a suite that left none.
 * @returns {SuiteReport}
 */
export function readReport(file, what) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return failedToRun(what);
  }
}

/**
 * A suite that did not run to its end counts as one failure.
 * @param {string} sentence
 * @returns {SuiteReport}
 */
export function failedToRun(sentence) {
  return { passed: 0, failed: 1, skipped: 0, failures: [sentence] };
}
