import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { projectCache } from '../../scripts/project.mjs';

const VERSION = '4.3.1';
const folder = path.join(projectCache, 'bench', `transformers-${VERSION}`);

/** The part of `@huggingface/transformers` that is measured. */
export interface Transformers {
  readonly env: { allowRemoteModels: boolean; localModelPath: string };
  readonly AutoModelForCausalLM: {
    from_pretrained(name: string, options: object): Promise<CausalModel>;
  };
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => object;
}

export interface CausalModel {
  generate(options: object): Promise<unknown>;
  dispose(): Promise<unknown>;
}

/** The library, put into the cache at the first call: it is compared with, and no part of the product. */
export async function loadTransformers(): Promise<Transformers> {
  const require = createRequire(path.join(folder, 'package.json'));
  if (!existsSync(path.join(folder, 'node_modules', '@huggingface', 'transformers', 'package.json'))) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
    // Without the libraries of devices that are not measured.
    await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', `@huggingface/transformers@${VERSION}`], {
      cwd: folder,
      shell: process.platform === 'win32',
      env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    });
  }
  return import(pathToFileURL(require.resolve('@huggingface/transformers')).href) as Promise<Transformers>;
}
