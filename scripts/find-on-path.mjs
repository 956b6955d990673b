// Where a program would be found if its name were typed in a terminal.
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/**
 * @param {string} name
 * @returns {string | null} Absolute path.
 */
export function findOnPath(name) {
  const endings = process.platform === 'win32' ? (process.env.PATHEXT ?? '.EXE;.CMD').split(';') : [''];
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    for (const ending of endings) {
      const file = path.join(folder, name + ending);
      if (folder && isProgram(file)) {
        return file;
      }
    }
  }
  return null;
}

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
