import { spawn } from 'node:child_process';
import path from 'node:path';
import { projectCache, root } from '../../../scripts/project.mjs';

/** How a run of the command line ended. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The bundle that `npm run inspect` starts. */
const COMMAND = path.join(root, 'dist', 'engine', 'cli.mjs');

/** Runs the command line in a process of its own, as users do, with `input` on its standard input. */
export function runCommand(
  args: readonly string[],
  input: string | Buffer = '',
  env: NodeJS.ProcessEnv = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], {
      stdio: 'pipe',
      // What is found of the machine's devices once need not be found again by each test.
      env: { ...process.env, HEADLIGHT_STORAGE: projectCache, ...env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    // A command that fails at once does not read its input.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
