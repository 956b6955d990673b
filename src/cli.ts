import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { type CommandLine, parseCommandLine, USAGE } from './cli/command-line';
import { CommandLineDevices } from './cli/devices';
import { findModel } from './cli/models';
import { renderPage } from './cli/page';
import { jsonReport } from './cli/report';
import { showStage } from './cli/stage';
import { writeTensors } from './cli/tensor-files';
import type { Inspector } from './engine/inspect/inspector';
import { takeDenormalsForZero } from './engine/runtime/providers';
import { HeadlightError } from './protocol/errors';

/** How many candidates are given at least. */
const CANDIDATES = 10;

/** The engine from a terminal: what it prints is on standard output, why it failed in one sentence on standard error. */
async function main(): Promise<void> {
  takeDenormalsForZero();
  const commandLine = parseCommandLine(process.argv.slice(2));
  if (commandLine === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  const directory = await findModel(commandLine.model);
  const devices = new CommandLineDevices(directory);
  if (commandLine.checksDevice) {
    process.stdout.write(await devices.check(commandLine.device, commandLine.json));
    return;
  }
  const environment = devices.missingEnvironment(commandLine.device);
  if (environment !== null) {
    // The loader of libraries reads it when a process starts.
    const [, ...command] = process.argv;
    process.exitCode = spawnSync(process.execPath, command, { stdio: 'inherit', env: environment }).status ?? 1;
    return;
  }
  const input = await readInput(commandLine);
  process.stdout.write(await devices.use(commandLine.device, (inspector) => inspect(inspector, commandLine, input)));
}

/** What is printed. */
async function inspect(
  inspector: Inspector,
  commandLine: CommandLine,
  input: string | readonly number[],
): Promise<string> {
  const trace = await (typeof input === 'string'
    ? inspector.trace(input, undefined, commandLine.readsSpecial)
    : inspector.traceIds(input));
  const { id: traceId } = trace;
  if (commandLine.stage !== undefined) {
    return showStage(inspector, trace, commandLine, commandLine.stage);
  }
  if (commandLine.tensors !== null) {
    await writeTensors(inspector, trace, commandLine.tensors);
  }
  const candidates = inspector.candidates({
    traceId,
    sampler: commandLine.sampler,
    limit: CANDIDATES,
    seed: null,
  });
  if (commandLine.json) {
    return `${JSON.stringify(jsonReport(trace, candidates, inspector.loaded.loadMs), null, 2)}\n`;
  }
  const heads = trace.attention.available ? await inspector.headOverview({ traceId, resolution: 1 }) : null;
  const color = process.stdout.isTTY && !process.env.NO_COLOR;
  return renderPage({ trace, candidates, heads, loadMs: inspector.loaded.loadMs, color });
}

/** The text, exactly as it was given, or the token ids. */
async function readInput({ input }: CommandLine): Promise<string | readonly number[]> {
  switch (input.kind) {
    case 'text':
      return input.text;
    case 'ids':
      return input.ids;
    case 'file':
      try {
        return await readFile(input.file, 'utf8');
      } catch (error) {
        const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : `cannot be read (${error})`;
        throw new HeadlightError('argument-invalid', `${path.resolve(input.file)} ${why}; name a text file.`);
      }
    case 'stdin':
      if (process.stdin.isTTY) {
        throw new HeadlightError('text-empty', 'There is no text; give it with --text or --file, or pipe it in.');
      }
      return readAll(process.stdin);
  }
}

// `… | head` closes the pipe while the page is written: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    throw error;
  }
});

try {
  await main();
} catch (error) {
  // What the runtime throws can have several lines.
  process.stderr.write(`${HeadlightError.from(error).message.replaceAll(/\s*\n\s*/g, ' ')}\n`);
  process.exitCode = 1;
}
