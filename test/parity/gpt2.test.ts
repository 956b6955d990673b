import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import type { JsonReport } from '../../src/cli/report';
import { runCommand } from '../unit/cli/command';
import { type Gpt2Run, ReferenceGpt2 } from './reference-gpt2';

const MODEL = path.join(root, 'models', 'headlight-small');
const TOLERANCE = 1e-4;
/** Float32 has seven digits: a residual stream in the hundreds cannot be known to 1e-4. 64 units in its last place are allowed. */
const RELATIVE_TOLERANCE = 64 * 2 ** -23;

const TEXTS = {
  prose: 'The lighthouse keeper climbed the stairs, as he had done every evening for thirty years.\n\nThat night, the',
  code: 'export function mean(values: number[]): number {\n\tlet sum = 0;\n\tfor (const value of values) {\n\t\tsum += value;',
  Chinese: '语言模型根据前面的文字预测下一个词。😀 灯塔照亮了海面，',
};

/** The numbers of an .npy file, and its shape. */
async function readNpy(file: string): Promise<{ shape: number[]; numbers: Float32Array }> {
  const bytes = await readFile(file);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const shape = /'shape': \(([\d, ]+)\)/.exec(header)![1].split(', ').map(Number);
  return {
    shape,
    numbers: new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length)),
  };
}

function assertClose(what: string, actual: Float32Array, expected: readonly Float64Array[]): void {
  assert.equal(
    actual.length,
    expected.reduce((total, { length }) => total + length, 0),
    what,
  );
  let at = 0;
  let largest = 0;
  let magnitude = 0;
  for (const part of expected) {
    for (const value of part) {
      largest = Math.max(largest, Math.abs(actual[at++] - value));
      magnitude = Math.max(magnitude, Math.abs(value));
    }
  }
  const tolerance = Math.max(TOLERANCE, RELATIVE_TOLERANCE * magnitude);
  assert.ok(largest <= tolerance, `${what} up to ${magnitude} differ by up to ${largest}, more than ${tolerance}`);
}

describe('parity with a plain GPT-2 in float64', () => {
  let folder: string;
  let reference: ReferenceGpt2;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'headlight-parity-'));
    reference = ReferenceGpt2.open(MODEL);
  });
  after(() => rm(folder, { recursive: true }));

  for (const [kind, text] of Object.entries(TEXTS)) {
    it(`holds for every logit, attention weight and hidden state of ${kind}`, async () => {
      const { code, stdout, stderr } = await runCommand([
        '--text',
        text,
        '--json',
        '--tensors',
        folder,
        '--device',
        'cpu',
      ]);
      assert.equal(code, 0, stderr);
      const { model, tokens }: JsonReport = JSON.parse(stdout);
      const expected: Gpt2Run = reference.run(tokens.map(({ id }) => id));
      const length = tokens.length;

      const logits = await readNpy(path.join(folder, 'logits.npy'));
      assert.deepEqual(logits.shape, [length, model.vocabSize]);
      assertClose('logits', logits.numbers, [expected.logits]);

      const attention = await readNpy(path.join(folder, 'attention.npy'));
      assert.deepEqual(attention.shape, [model.layers, model.heads, length, length]);
      assertClose('attention weights', attention.numbers, expected.attention);

      const hidden = await readNpy(path.join(folder, 'hidden.npy'));
      assert.deepEqual(hidden.shape, [model.layers + 1, length, model.hiddenSize]);
      assertClose('hidden states', hidden.numbers, expected.hiddenStates);
    }).timeout(120_000);
  }
});
