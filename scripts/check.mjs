// Types, lint and format, each whole even when an earlier one failed. `--fix` mends what can be mended.
import { spawnSync } from 'node:child_process';
import { installDependencies } from './dependencies.mjs';

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
  const { status } = spawnSync('npx', ['--no-install', command, ...args], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return status !== 0;
});
for (const step of failed) {
  console.error(`failed: ${step.join(' ')}`);
}
process.exitCode = failed.length > 0 ? 1 : 0;
