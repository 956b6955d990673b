import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';

/** Where the graphs and weights of a model folder lie. */
const FOLDERS = ['', 'onnx'];

/**
 * A line that changes with the files of a model. Nothing of them is read.
 *
 * @param directory as in `LoadModelParams`
 */
export async function stampOfModel(directory: string): Promise<string> {
  const files = (await Promise.all(FOLDERS.map((inner) => filesIn(path.join(directory, inner))))).flat();
  const stamps = await Promise.all([directory, ...files].map(stampOf));
  return stamps.join(' ');
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => /\.onnx|\.data$|_data$/.test(name))
    .sort()
    .map((name) => path.join(folder, name));
}

async function stampOf(file: string): Promise<string> {
  const found = await stat(file).catch(() => null);
  return found === null || found.isDirectory() ? file : `${file}:${found.size}:${Math.round(found.mtimeMs)}`;
}
