import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectCache, root } from '../../scripts/project.mjs';

/**
 * What stands in for WebGPU in an engine: a session on the processor, with something wrong about it. Code that runs in the
 * engine's process; it may use `open()`, which gives that session, and `struck()`, which tells whether the fault was set off.
 */
export interface Fault {
  /** In place of opening a session on WebGPU. */
  readonly create?: string;
  /** Around each run on WebGPU; has `run()`, `feeds`, and gives the results. */
  readonly run?: string;
  /** Around each run on the processor. */
  readonly cpuRun?: string;
}

/** An engine whose WebGPU is not what it should be. */
export interface FaultyEngine {
  readonly entryPoint: string;
  /** Sets the fault off that waits for it. */
  strike(): void;
}

const folder = path.join(projectCache, 'faulty-engines');

/** The engine as it is shipped, with this in the place of WebGPU. */
export function faultyEngine(name: string, { create = 'return open();', run, cpuRun }: Fault): FaultyEngine {
  mkdirSync(folder, { recursive: true });
  const mark = `${process.pid}-${name}`;
  const entryPoint = path.join(folder, `${mark}.mjs`);
  const flag = path.join(folder, `${mark}.struck`);
  writeFileSync(
    entryPoint,
    `import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
const { InferenceSession, Tensor } = createRequire(import.meta.url)('onnxruntime-node');
const create = InferenceSession.create.bind(InferenceSession);
const struck = () => existsSync(${JSON.stringify(flag)});
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const around = (session, body) => {
  const original = session.run.bind(session);
  session.run = (feeds, ...rest) => body(() => original(feeds, ...rest), feeds);
  return session;
};
InferenceSession.create = async (model, options) => {
  const [provider] = options.executionProviders;
  if ((provider.name ?? provider) !== 'webgpu') {
    return around(await create(model, options), async (run, feeds) => { ${cpuRun ?? 'return run();'} });
  }
  const open = async () => {
    const session = await create(model, { ...options, executionProviders: ['cpu'] });
    return around(session, async (run, feeds) => { ${run ?? 'return run();'} });
  };
  ${create}
};
await import(${JSON.stringify(pathToFileURL(path.join(root, 'dist', 'engine', 'server.mjs')).href)});
`,
  );
  return { entryPoint, strike: () => writeFileSync(flag, '') };
}

/** Code for `Fault.run`: changes the logits of a model. */
export function changingLogits(when: string, change: string): string {
  return `
    const results = await run();
    if (results.logits && (${when})) {
      const { data, dims } = results.logits;
      return { ...results, logits: new Tensor('float32', data.map((value, index) => ${change}), dims) };
    }
    return results;`;
}
