import { Worker } from 'node:worker_threads';

const EVERY_MS = 2000;

/** Where a process is gone, the system says so (ESRCH), or gives its children another parent. */
const WATCH = `
  const { workerData: { parent, everyMs } } = require('node:worker_threads');
  const isGone = () => {
    try {
      process.kill(parent, 0);
      return process.ppid !== parent;
    } catch (error) {
      return error.code === 'ESRCH';
    }
  };
  setInterval(() => {
    if (isGone()) {
      process.kill(process.pid, 'SIGKILL');
    }
  }, everyMs);`;

let watch: Worker | null = null;

/**
 * Ends this process once its parent is gone, from a thread of its own: where a driver holds the main thread up, that does not
 * hear that nobody listens any more.
 */
export function endWithParent(): void {
  watch ??= new Worker(WATCH, { eval: true, workerData: { parent: process.ppid, everyMs: EVERY_MS } });
  watch.unref();
}
