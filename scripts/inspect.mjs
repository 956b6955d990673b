// `npm run inspect`: the engine from a terminal. Only its own output goes to stdout.
import { runMain } from './failure.mjs';
import { prepare } from './prepare.mjs';
import { projectCache } from './project.mjs';

await runMain(async () => {
  await prepare();
  // npm runs scripts in the project's folder; paths on the command line are meant from where npm was called.
  if (process.env.npm_lifecycle_event === 'inspect' && process.env.INIT_CWD) {
    process.chdir(process.env.INIT_CWD);
  }
  process.env.HEADLIGHT_STORAGE ??= projectCache;
  await import('../dist/engine/cli.mjs');
  return Number(process.exitCode ?? 0);
});
