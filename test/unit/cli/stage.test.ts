import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { root } from '../../../scripts/project.mjs';
import { parseCommandLine } from '../../../src/cli/command-line';
import { showStage } from '../../../src/cli/stage';
import { Inspector } from '../../../src/engine/inspect/inspector';
import type { Trace } from '../../../src/protocol/trace';

const TEXT = 'The lighthouse keeper climbed the stairs, and the';

describe('inspect --stage', () => {
  let folder: string;
  let inspector: Inspector;
  let trace: Trace;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'headlight-stage-'));
    inspector = await Inspector.open({ directory: path.join(root, 'models', 'headlight-small'), device: 'cpu' });
    trace = await inspector.trace(TEXT);
  });
  after(async () => {
    await inspector.dispose();
    await rm(folder, { recursive: true });
  });

  const show = async (...args: string[]): Promise<string> => {
    const commandLine = parseCommandLine(['--stage', ...args]);
    assert.ok(commandLine !== 'help' && commandLine.stage !== undefined);
    return showStage(inspector, trace, commandLine, commandLine.stage);
  };

  it('works a row of a head out, and writes every step', async () => {
    const page = await show('attention', '--layer', '1', '--head', '2', '--tensors', folder);
    assert.match(page, /^Layer 1, head 2: what #\d+ " the" reads\n/);
    assert.deepEqual((await readdir(folder)).sort(), ['masked.npy', 'scores.npy', 'weighted.npy', 'weights.npy']);
    const bytes = await readFile(path.join(folder, 'scores.npy'));
    const about = JSON.parse(bytes.toString('utf8', bytes.lastIndexOf('\n{')));
    assert.deepEqual([about.stage, about.tensor, about.model.name], ['attention', 'scores', 'headlight-small']);
    assert.deepEqual([about.passage.text, about.settings.layer, about.settings.head], [TEXT, 1, 2]);
    const json = JSON.parse(await show('attention', '--layer', '1', '--head', '2', '--json'));
    assert.deepEqual({ ...json.about, tensor: 'scores' }, about);
  });

  it('scores every head, and writes the scores', async () => {
    const target = path.join(folder, 'heads');
    const page = await show('heads', '--tensors', target);
    assert.match(page, /^Previous token: .*\n +repeated +control +passage +layer\.head\n( +\d\.\d{3}){3} +\d+\.\d+\n/);
    assert.match(page, /repeated: 50 random tokens and the same again, after "<\|endoftext\|>", which begins a text;/);
    assert.deepEqual((await readdir(target)).sort(), ['control.npy', 'passage.npy', 'repeated.npy']);
    const { layers, heads, repeated, randomText } = JSON.parse(await show('heads', '--json'));
    assert.equal(repeated.induction.length, layers * heads);
    assert.equal(randomText.repeatedIds.length, 2 * randomText.length + 1);
  });

  it('leads from the row of a token to the stream', async () => {
    const page = await show('embedding', '--token', '2');
    assert.match(page, /^Embedding of #2 " keeper": the first 6 of 256 numbers\n/);
    assert.match(page, /\n +\d+\.\d{3} +-?\d.* {2}position, learned, row 2\n/);
    assert.match(page, /\nNearest rows of the embedding matrix\n/);
  });

  it('prints a lens with a row for each depth', async () => {
    const page = await show('lens', '--token', '2');
    assert.match(page, /^Logit lens after #2 " keeper"\n/);
    assert.equal(page.match(/^ +(before|layer \d+) /gm)?.length, trace.model.layers + 1);
  });

  it('attributes to parts that add up', async () => {
    const { difference, parts } = JSON.parse(await show('attribution', '--json'));
    const sum = parts.reduce((total: number, { value }: { value: number }) => total + value, 0);
    assert.ok(Math.abs(sum - difference) < 1e-3, `${sum} is not ${difference}`);
  });

  it('scores a text as training data', async () => {
    const target = path.join(folder, 'training');
    const { perplexity, windows, windowsRead } = JSON.parse(await show('training', '--json', '--tensors', target));
    assert.ok(Math.abs(perplexity / trace.perplexity! - 1) < 1e-6);
    assert.deepEqual([windows, windowsRead, await readdir(target)], [1, 1, ['losses.npy']]);
  });

  it('merges a word, and lists the neurons of a layer', async () => {
    const page = await show('tokens', '--token', '1');
    assert.match(page, /^Merges of the word of #1, in r50k_base\n/);
    assert.match(page, /\n +bytes {2} ·l·i·g·h·t·h·o·u·s·e\n/);
    assert.match(page, /\n +\d+ +\d+ +\d\.\d\d {2}r50k_base \(the model's own\)\n/);
    assert.match(
      await show('feed-forward', '--layer', '1'),
      /^Layer 1, feed-forward at #\d+ " the": \d+ of 1024 neurons/,
    );
  });

  it('prints the sampler and the stream', async () => {
    assert.match(
      await show('sampler', '--top-p', '0.5'),
      /^Sampler: .* after top-p; what is left is divided by 0\.\d+\n/,
    );
    assert.match(await show('stream'), /^Residual stream at #\d+ " the": Euclidean lengths\n/);
  });

  it('lets the passage grow, each token from the cache of those before', async () => {
    const args = ['again', '--count', '6', '--temperature', '0.8', '--top-k', '40', '--seed', '3'];
    const { tokens } = JSON.parse(await show(...args, '--json'));
    assert.equal(tokens.length, 6);
    for (const [at, { reused, read }] of tokens.entries()) {
      assert.equal(reused + read, trace.tokens.length + at);
      if (at > 0) {
        assert.equal(read, 1, 'a step reads what the one before it wrote');
      }
    }
    const page = await show(...args);
    assert.match(page, /^Again, 6 tokens; a cache of \d+ tokens, \d+\.\d\d MB\n/);
    assert.equal(JSON.parse(await show(...args, '--json')).tokens[5].id, tokens[5].id, 'the same seed, the same text');
  });

  for (const [model, pattern, files] of [
    [
      'llama-torch-onnx-traced-cache',
      /\n\nRotation of layer 1, head 0, by position: radians\n[\s\S]*\n\nQuery and key\n +length +numbers\n.*query before\n.*query after\n/,
      ['rotary-angles.npy', 'rotary-key-after.npy', 'rotary-query-before.npy'],
    ],
    ['bloom-torch-onnx-traced', /\n\nALiBi: layer 1, head 0 adds 0\.0\d+ for each token that a key is nearer$/m, []],
  ] as const) {
    it(`tells where a token stands: ${model}`, async () => {
      const other = await Inspector.open({
        directory: path.resolve('test/parity/golden/models', model),
        device: 'cpu',
      });
      try {
        const target = path.join(folder, model);
        const commandLine = parseCommandLine(['--stage', 'embedding', '--layer', '1', '--tensors', target]);
        assert.ok(commandLine !== 'help' && commandLine.stage !== undefined);
        const page = await showStage(other, await other.traceIds([3, 17, 40, 5]), commandLine, commandLine.stage);
        assert.match(page, pattern);
        const written = await readdir(target);
        assert.ok(
          files.every((name) => written.includes(name)),
          String(written),
        );
      } finally {
        await other.dispose();
      }
    });
  }

  for (const [args, sentence] of [
    [['attention', '--layer', '99'], /^There is no layer 99;/],
    [['attention', '--head', '99'], /^There is no head 99;/],
    [['lens', '--token', '999'], /^There is no token 999;/],
    [['again', '--count', '0'], /^0 tokens cannot be generated/],
    [['training', '--stride', '0'], /^A stride of 0 leaves tokens out;/],
    [['sampler', '--tensors', 'somewhere'], /^The stage sampler has no tensors to write; use --json\.$/],
  ] as const) {
    it(`refuses ${args.join(' ')}`, async () => {
      await assert.rejects(show(...args), { code: 'argument-invalid', message: sentence });
    });
  }
});
