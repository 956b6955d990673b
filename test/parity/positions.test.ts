import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { EmbeddingView } from '../../src/protocol/stages';

/** Exports of tiny models, written by parity.py; see golden.test.ts. */
const GOLDEN = path.resolve('test/parity/golden/models');
const IDS = [3, 17, 40, 5, 17, 3, 29, 9];
const TOKEN = 5;
const TOLERANCE = 1e-5;

/** How each architecture tells its layers where a token stands, by its definition. */
const MODELS: Readonly<Record<string, { steps: readonly string[]; scale?: number; rotary?: true; alibi?: true }>> = {
  'gpt2-torch-onnx-traced': { steps: ['token', 'position', 'sum'] },
  'gpt2-dynamic-int8': { steps: ['token', 'position', 'sum'] },
  'gpt2-onnxruntimes-gpt-2-script': { steps: ['token', 'position', 'sum'] },
  'gpt2-optimum-1-20-merged': { steps: ['token', 'position', 'sum'] },
  'llama-torch-onnx-traced-cache': { steps: ['token'], rotary: true },
  'llama-torch-onnx-dynamo': { steps: ['token'], rotary: true },
  'llama-torch-onnx-dynamo-opset-23': { steps: ['token'], rotary: true },
  'llama-genai-builder-fp32-for-cuda': { steps: ['token'], rotary: true },
  'llama-qdq-int8': { steps: ['token'], rotary: true },
  'llama-4-bit-matmulnbits': { steps: ['token'], rotary: true },
  // One operator does the whole attention, the rotation included.
  'llama-genai-builder-fp32': { steps: ['token'], rotary: true },
  'falcon-torch-onnx-traced-cache': { steps: ['token'], rotary: true },
  'gemma2-torch-onnx-traced': { steps: ['token', 'scale'], scale: 4, rotary: true },
  'bloom-torch-onnx-traced': { steps: ['token', 'norm'], alibi: true },
};

describe('embeddings and positions of exports', () => {
  for (const [name, expected] of Object.entries(MODELS)) {
    it(`are those of the architecture: ${name}`, async () => {
      const directory = path.join(GOLDEN, name);
      const config = JSON.parse(readFileSync(path.join(directory, 'config.json'), 'utf8'));
      const inspector = await Inspector.open({ directory, device: 'cpu' });
      try {
        const { id: traceId, model } = await inspector.traceIds(IDS);
        const views: EmbeddingView[] = [];
        for (let head = 0; head < model.heads; head++) {
          views.push(await inspector.stages.embedding({ traceId, token: TOKEN, layer: 1, head }));
        }
        for (const [head, { steps, rotary, alibiSlope, missing }] of views.entries()) {
          assert.deepEqual(
            steps.map(({ kind }) => kind),
            expected.steps,
          );
          assert.equal(missing, null);
          const scale = steps.find((step) => step.kind === 'scale');
          assert.equal(scale?.kind === 'scale' ? scale.factor : undefined, expected.scale);
          const position = steps.find((step) => step.kind === 'position');
          if (position?.kind === 'position') {
            assert.deepEqual([position.form, position.row], ['learned', TOKEN]);
            const sum = steps[0].vector.map((value, at) => value + position.vector[at]);
            close(steps.at(-1)!.vector, sum, 'the sum');
          }
          assert.equal(rotary !== null, expected.rotary === true);
          if (rotary !== null) {
            const half = rotary.queryBefore.length / 2;
            assert.deepEqual([rotary.pairing, rotary.angles.length, rotary.frequencies.length], ['halves', half, half]);
            assert.ok(Math.abs(rotary.stretch - 1) < TOLERANCE);
            // RoPE's definition: pair i turns by the position times base^(−i / pairs).
            const frequencies = Array.from({ length: half }, (_, i) => (config.rope_theta ?? 10_000) ** (-i / half));
            close(rotary.frequencies, frequencies, 'what a token adds');
            const angles = frequencies.map((frequency) => TOKEN * frequency);
            close(rotary.angles.map(Math.cos), angles.map(Math.cos), 'cosines');
            close(rotary.angles.map(Math.sin), angles.map(Math.sin), 'sines');
            close(rotary.queryAfter, turned(rotary.queryBefore, angles), 'the query');
            close(rotary.keyAfter, turned(rotary.keyBefore, angles), 'the key');
          }
          // ALiBi's definition: 2^(−8 (head + 1) / heads).
          const slope = 2 ** ((-8 * (head + 1)) / model.heads);
          assert.ok(
            Math.abs((alibiSlope ?? 0) - (expected.alibi ? slope : 0)) < TOLERANCE,
            `the slope is ${alibiSlope}`,
          );
        }
        const { nearest } = await inspector.stages.nearestTokens({ traceId, token: TOKEN, limit: 5 });
        const ids = nearest.map(({ id }) => id);
        assert.equal(new Set(ids).size, 5);
        assert.ok(!ids.includes(IDS[TOKEN]));
      } finally {
        await inspector.dispose();
      }
    });
  }
});

function turned(vector: Float32Array, angles: readonly number[]): number[] {
  const half = angles.length;
  return Array.from(vector, (value, at) =>
    at < half
      ? value * Math.cos(angles[at]) - vector[at + half] * Math.sin(angles[at])
      : vector[at - half] * Math.sin(angles[at - half]) + value * Math.cos(angles[at - half]),
  );
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assert.equal(actual.length, expected.length, what);
  for (let at = 0; at < actual.length; at++) {
    assert.ok(
      Math.abs(actual[at] - expected[at]) <= TOLERANCE,
      `${what}: ${actual[at]} at ${at} is not ${expected[at]}`,
    );
  }
}
