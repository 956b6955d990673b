import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { JsonReport } from '../../../src/cli/report';
import { type CommandResult, runCommand } from './command';

function report({ code, stdout, stderr }: CommandResult): JsonReport {
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  return JSON.parse(stdout);
}

/** What went wrong has to be one sentence, alone, and nothing else printed. */
function sentence({ code, stdout, stderr }: CommandResult): string {
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /^[^\n]+\.\n$/);
  return stderr;
}

describe('inspect command', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'headlight-command-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('looks for CUDA in the folder of the environment, in a process that has it on the path of its loader', async function () {
    if (process.platform !== 'linux') {
      console.log('not run: CUDA is for Linux only');
      this.skip();
    }
    const libraries = path.join(folder, 'cuda');
    await mkdir(libraries);
    await writeFile(path.join(libraries, 'libonnxruntime_providers_cuda.so'), 'no library');
    await writeFile(path.join(libraries, 'libonnxruntime_providers_shared.so'), 'no library');
    const storage = path.join(folder, 'storage');
    // Each process leaves a line: what it runs, and where its loader looks.
    const [watch, started] = ['watch.mjs', 'started'].map((name) => path.join(folder, name));
    const line = "JSON.stringify([process.argv[1], process.env.LD_LIBRARY_PATH ?? '']) + '\\n'";
    await writeFile(watch, `import fs from 'node:fs'; fs.appendFileSync(${JSON.stringify(started)}, ${line});`);
    const { code, stdout, stderr } = await runCommand(['--device', 'cuda', '--json'], 'From standard input', {
      ...{ HEADLIGHT_CUDA_FOLDER: libraries, HEADLIGHT_STORAGE: storage, NODE_OPTIONS: `--import=${watch}` },
    });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Headlight runs the model on the processor: CUDA cannot be started \([^\n]*\)\.\n$/);
    assert.equal(JSON.parse(stdout).tokens.length, 3);
    const processes: [string, string][] = (await readFile(started, 'utf8'))
      .trim()
      .split('\n')
      .map((each) => JSON.parse(each));
    assert.deepEqual(
      processes.map(([file]) => path.basename(file)),
      ['cli.mjs', 'cli.mjs', 'server.mjs'],
    );
    for (const [, paths] of processes.slice(1)) {
      assert.deepEqual(paths.split(':').slice(0, 2), [path.join(storage, 'cuda'), libraries]);
    }
  });

  it('prints one JSON object with exactly the promised fields', async () => {
    const text = 'const 灯 = "😀";\r\n';
    const json = report(await runCommand(['--text', text, '--json']));
    assert.deepEqual(Object.keys(json), ['model', 'device', 'tokens', 'candidates', 'perplexity', 'timing']);
    assert.deepEqual(Object.keys(json.model), [
      ...['name', 'architecture', 'layers', 'heads', 'kvHeads', 'headDim', 'hiddenSize', 'vocabSize', 'contextLength'],
    ]);
    assert.equal(json.model.name, 'headlight-small');
    assert.equal(typeof json.device, 'string');
    assert.deepEqual(Object.keys(json.timing), ['loadMs', 'tokenizeMs', 'forwardMs']);
    const fields = ['index', 'id', 'text', 'bytes', 'start', 'end', 'probability', 'rank', 'surprisal', 'entropy'];
    assert.ok(json.tokens.every((token) => assert.deepEqual(Object.keys(token), fields) === undefined));
    const candidateFields = ['id', 'text', 'probability', 'samplerProbability', 'rank'];
    assert.deepEqual(Object.keys(json.candidates[0]), candidateFields);
    assert.ok(json.candidates.length >= 10);

    assert.deepEqual(Buffer.from(json.tokens.flatMap(({ bytes }) => [...bytes])), Buffer.from(text));
    const [first, ...others] = json.tokens;
    assert.deepEqual([first.probability, first.rank, first.surprisal], [null, null, null]);
    for (const { probability, rank, surprisal, entropy } of others) {
      assert.ok(probability! > 0 && probability! <= 1 && rank! >= 1 && entropy > 0);
      assert.ok(Math.abs(surprisal! + Math.log2(probability!)) < 1e-9);
    }
    const mean = others.reduce((sum, { surprisal }) => sum + surprisal!, 0) / others.length;
    assert.ok(Math.abs(json.perplexity! / 2 ** mean - 1) < 1e-9);
  });

  it('reads the same from an option, a file, standard input and ids', async () => {
    const text = 'Two  lines,\r\nand a tab\t.';
    const file = path.join(folder, 'input.txt');
    await writeFile(file, text);
    const fromText = report(await runCommand(['--text', text, '--json']));
    const ids = fromText.tokens.map(({ id }) => id).join(',');
    const others = [
      await runCommand(['--file', file, '--json']),
      await runCommand(['--json'], text),
      await runCommand(['--ids', ids, '--json']),
    ];
    for (const other of others) {
      const { tokens, candidates } = report(other);
      assert.deepEqual(tokens, fromText.tokens);
      assert.deepEqual(candidates, fromText.candidates);
    }
  }).timeout(60_000);

  it('applies the sampler, and leaves the model’s own probabilities alone', async () => {
    const own = report(await runCommand(['--text', 'return', '--json'])).candidates;
    const args = [
      '--text',
      'return',
      '--json',
      '--temperature',
      '0.7',
      '--top-k',
      '3',
      '--top-p',
      '0.99',
      '--min-p',
      '0.001',
    ];
    const sampled = report(await runCommand(args)).candidates;
    assert.equal(sampled.length, 10);
    sampled.forEach(({ probability, rank }, i) => {
      assert.equal(probability, own[i].probability);
      assert.equal(rank, i + 1);
    });
    const kept = sampled.map(({ samplerProbability }) => samplerProbability);
    assert.ok(Math.abs(kept[0] + kept[1] + kept[2] - 1) < 1e-9);
    assert.ok(kept[0] > sampled[0].probability);
    assert.deepEqual(kept.slice(3), new Array(7).fill(0));
  }).timeout(60_000);

  it('prints a page without --json, plain where it is not a terminal', async () => {
    const { code, stdout } = await runCommand(['--text', 'a b a b a']);
    assert.equal(code, 0);
    assert.match(stdout, /^headlight-small · gpt2/);
    assert.match(stdout, /previous token +\d\.\d [01]\.\d\d/);
    assert.ok(!stdout.includes('\x1b'));
  });

  it('takes a model by its path, too', async () => {
    const missing = sentence(await runCommand(['--text', 'a', '--model', path.join(folder, 'nowhere')]));
    assert.match(missing, /There is no model .*nowhere.*models\/ has headlight-small/);
    const empty = path.join(folder, 'empty');
    await mkdir(empty);
    assert.match(
      sentence(await runCommand(['--text', 'a', '--model', empty])),
      /empty has neither model\.onnx nor onnx\/model\.onnx/,
    );
    assert.match(sentence(await runCommand(['--text', 'a', '--model', 'no-such-model'])), /There is no model/);
    assert.match(sentence(await runCommand(['--text', 'a', '--model', '../media'])), /There is no model/);
  });

  it('fails with one sentence and no output', async () => {
    const failures: [string[], RegExp][] = [
      [['--text', ''], /no text/],
      [['--ids', '1,50257'], /50257/],
      [['--ids', 'x'], /"x" is none/],
      [['--file', path.join(folder, 'absent.txt')], /absent\.txt is not there/],
      [['--file', folder], /cannot be read/],
      [['--frobnicate'], /Unknown option/],
      [['--text', 'a', '--temperature', '-3'], /temperature/],
      [['--text', 'a', '--tensors', path.join(folder, 'input.txt', 'x')], /cannot be written/],
    ];
    await writeFile(path.join(folder, 'input.txt'), 'a');
    for (const [args, message] of failures) {
      assert.match(sentence(await runCommand([...args, '--json'])), message);
    }
    assert.match(sentence(await runCommand([])), /no text/);
  }).timeout(60_000);

  it('answers a text of ten megabytes at once, saying that it is too long', async () => {
    const started = performance.now();
    assert.match(sentence(await runCommand([], 'word '.repeat(2_000_000))), /characters/);
    assert.ok(performance.now() - started < 10_000);
  }).timeout(60_000);

  it('reads the last tokens of a text that is longer than the context', async () => {
    const { model, tokens } = report(await runCommand(['--json'], 'x = 1\n'.repeat(400)));
    assert.equal(tokens.length, model.contextLength);
    assert.equal(tokens.at(-1)!.end, 2400);
    assert.ok(tokens[0].start > 0);
  }).timeout(60_000);

  it('writes tensors that belong together', async () => {
    const directory = path.join(folder, 'new', 'tensors');
    const { model, tokens } = report(await runCommand(['--text', 'one two three', '--json', '--tensors', directory]));
    const { layers, heads, hiddenSize, vocabSize } = model;
    const length = tokens.length;
    const numbers = {
      logits: length * vocabSize,
      attention: layers * heads * length * length,
      hidden: (layers + 1) * length * hiddenSize,
    };
    for (const [name, count] of Object.entries(numbers)) {
      const { size } = await stat(path.join(directory, `${name}.npy`));
      assert.equal(size, 128 + 4 * count, name);
    }
  });

  it('shows its page', async () => {
    const { code, stdout } = await runCommand(['--help']);
    assert.equal(code, 0);
    for (const option of [
      'text',
      'file',
      'ids',
      'model',
      'device',
      'temperature',
      'top-k',
      'top-p',
      'min-p',
      'json',
      'tensors',
    ]) {
      assert.ok(stdout.includes(`--${option} `), option);
    }
  });
});
