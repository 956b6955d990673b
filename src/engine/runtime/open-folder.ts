import type { DecoderConfig } from '../model/config';
import { type ModelFolder, readModelFolder } from '../model/folder';
import { measureConfig } from './graph-config';

/** A model folder with a configuration: the one that it holds, or one that was measured. */
export interface ConfiguredFolder extends ModelFolder {
  readonly config: DecoderConfig;
  /** What is to be said of a measured configuration. */
  readonly notes: readonly string[];
}

/** @throws HeadlightError as `readModelFolder` and `measureConfig` */
export async function openModelFolder(directory: string): Promise<ConfiguredFolder> {
  const folder = await readModelFolder(directory);
  return folder.config === null
    ? { ...folder, ...(await measureConfig(folder.graphFile, folder.hints)) }
    : { ...folder, config: folder.config, notes: [] };
}
