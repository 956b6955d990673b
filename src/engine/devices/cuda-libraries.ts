import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';

/** Loaded by the runtime from where the runtime itself lies. */
const PROVIDER = 'libonnxruntime_providers_cuda.so';
const PROVIDERS = /^libonnxruntime_providers_\w+\.so$/;
const RUNTIME = 'libonnxruntime.so.1';

/**
 * What the engine's process needs in its environment to find the CUDA libraries; null where there are none.
 *
 * onnxruntime-node's own installer puts them beside the runtime, which then needs nothing. Those in a folder of the user's
 * are linked into one beside the runtime, which is first on the loader's path: so they are used where they lie, and the
 * installed extension is left as it is.
 *
 * @param runtimeFolder where the runtime's binaries lie
 * @param given a folder of the user's, or null
 * @param links a folder for the links
 */
export function cudaEnvironment(
  runtimeFolder: string,
  given: string | null,
  links: string | null,
): NodeJS.ProcessEnv | null {
  if (process.platform !== 'linux') {
    return null;
  }
  if (given !== null && links !== null && existsSync(path.join(given, PROVIDER))) {
    link(runtimeFolder, given, links);
    // An empty part would be the folder that the process runs in.
    const own = process.env.LD_LIBRARY_PATH?.split(':').filter((part) => part !== '') ?? [];
    return { LD_LIBRARY_PATH: [...new Set([links, given, ...own])].join(':') };
  }
  return existsSync(path.join(runtimeFolder, PROVIDER)) ? {} : null;
}

function link(runtimeFolder: string, given: string, links: string): void {
  const wanted = new Map([
    [RUNTIME, path.join(runtimeFolder, RUNTIME)],
    ...readdirSync(given)
      .filter((name) => PROVIDERS.test(name))
      .map((name) => [name, path.join(given, name)] as const),
  ]);
  mkdirSync(links, { recursive: true });
  for (const name of readdirSync(links)) {
    if (!wanted.has(name)) {
      rmSync(path.join(links, name), { force: true });
    }
  }
  for (const [name, target] of wanted) {
    const place = path.join(links, name);
    if (!leadsTo(place, target)) {
      rmSync(place, { force: true });
      symlinkSync(target, place);
    }
  }
}

function leadsTo(place: string, target: string): boolean {
  try {
    return realpathSync(place) === realpathSync(target);
  } catch {
    return false;
  }
}
