import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { HeadlightError } from '../protocol/errors';

/** models/ of the project, seen from dist/engine/ where the bundle is. */
const MODELS = fileURLToPath(new URL('../../models/', import.meta.url));

/**
 * The directory of a model given by name, which is that of a folder under models/, or by path; a graph's own path stays one.
 *
 * @throws HeadlightError `model-missing` where there is neither
 */
export async function findModel(nameOrPath: string): Promise<string> {
  const isName = path.basename(nameOrPath) === nameOrPath && !nameOrPath.startsWith('.');
  const candidates = [...(isName ? [path.join(MODELS, nameOrPath)] : []), path.resolve(nameOrPath)];
  for (const directory of candidates) {
    if (directory.endsWith('.onnx') || (await isDirectory(directory))) {
      return directory;
    }
  }
  throw new HeadlightError(
    'model-missing',
    `There is no model ${nameOrPath}: ${candidates.join(' and ')} ${isName ? 'are' : 'is'} no folder; ${await alternatives()}.`,
  );
}

async function alternatives(): Promise<string> {
  const entries = await readdir(MODELS).catch(() => []);
  const models: string[] = [];
  for (const entry of entries) {
    const hasConfig = await stat(path.join(MODELS, entry, 'config.json')).catch(() => null);
    if (hasConfig !== null) {
      models.push(entry);
    }
  }
  return models.length > 0 ? `models/ has ${models.join(', ')}` : 'give the path of a model folder';
}

async function isDirectory(directory: string): Promise<boolean> {
  return (await stat(directory).catch(() => null))?.isDirectory() ?? false;
}
