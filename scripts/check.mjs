// Types, lint and format, each whole even when an earlier one failed. `--fix` mends what can be mended.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { installDependencies } from './dependencies.mjs';
import { root } from './project.mjs';

const fix = process.argv.includes('--fix');
const steps = [
  ['tsc', '-p', 'src'],
  ['tsc', '-p', 'webview'],
  ['tsc', '-p', 'test'],
  ['tsc', '-p', 'scripts'],
  ['biome', 'check', ...(fix ? ['--write'] : []), '.'],
];
await installDependencies();
const failed = steps.filter(([command, ...args]) => {
  const { status } = spawnSync(path.join(root, 'node_modules', '.bin', command), args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return status !== 0;
});
for (const step of failed) {
  console.error(`failed: ${step.join(' ')}`);
}
process.exitCode = failed.length > 0 ? 1 : 0;
