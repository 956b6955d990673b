import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Inspector } from '../../src/engine/inspect/inspector';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { takeDenormalsForZero } from '../../src/engine/runtime/providers';
import type { Bench } from './bench';
import { gpt2SmallShaped, someIds } from './models';
import { PlainSession } from './plain-session';

// As the engine's process does.
takeDenormalsForZero();

const LENGTH = 1024;

/** Peak memory of a process that makes every head viewable, against one that only asks for logits. */
export const bench: Bench = async () => {
  await gpt2SmallShaped();
  const inspecting = peakOf('inspecting');
  const logitsOnly = peakOf('logits-only');
  return [
    {
      what: `GPT-2-small-shaped: peak memory with every head viewed against logits only, T = ${LENGTH}`,
      value: inspecting / logitsOnly,
      unit: 'ratio',
      limit: { atMost: 1.3 },
      detail: `${inspecting.toFixed(0)} MB against ${logitsOnly.toFixed(0)} MB`,
    },
  ];
};

/** Megabytes at the peak of a process of its own. */
function peakOf(task: string): number {
  const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), task], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    throw new Error(`measuring the memory of ${task} failed: ${stderr}`);
  }
  return Number(stdout.trim().split('\n').at(-1));
}

async function inspect(directory: string): Promise<void> {
  const inspector = await Inspector.open({ directory, device: 'cpu' });
  const { layers, heads, vocabSize } = inspector.loaded.model;
  const trace = await inspector.traceIds([...someIds(LENGTH, vocabSize)]);
  await inspector.headOverview({ traceId: trace.id, resolution: 48 });
  const all = { from: 0, to: LENGTH };
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) {
      await inspector.headMatrix({ traceId: trace.id, layer, head, queries: all, keys: all, resolution: 512 });
    }
  }
}

async function logitsOnly(directory: string): Promise<void> {
  const { graphFile, config } = await openModelFolder(directory);
  const plain = await PlainSession.open(graphFile, config);
  await plain.logits(someIds(LENGTH, config.vocabSize));
}

const task = process.argv[2];
if (process.argv[1] === fileURLToPath(import.meta.url) && task !== undefined) {
  const directory = await gpt2SmallShaped();
  await (task === 'inspecting' ? inspect(directory) : logitsOnly(directory));
  console.log(process.resourceUsage().maxRSS / 1024);
}
