// One process at a time: an installation that two runs start at once would break both.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const POLL_MS = 200;

/**
 * @template T
 * @param {string} file The lock; holds the id of the process that has it.
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function holding(file, work) {
  mkdirSync(path.dirname(file), { recursive: true });
  while (!take(file)) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

/** @param {string} file */
function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') {
      throw error;
    }
  }
  if (!isHeld(file)) {
    // Left by a process that was killed.
    rmSync(file, { force: true });
  }
  return false;
}

/** @param {string} file */
function isHeld(file) {
  try {
    const owner = Number(readFileSync(file, 'utf8'));
    // An empty file belongs to a process that is just writing its id.
    return owner === 0 || isAlive(owner);
  } catch {
    return false;
  }
}

/** @param {number} pid */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
