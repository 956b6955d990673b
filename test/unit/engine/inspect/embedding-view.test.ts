import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { embeddingView } from '../../../../src/engine/inspect/embedding-view';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { Decoder } from '../../../../src/engine/runtime/decoder';
import type { EmbeddingView } from '../../../../src/protocol/stages';
import { buildDecoder, configOf, type DecoderShape } from '../onnx/decoder-models';

const SHAPE: DecoderShape = { layers: 2, heads: 4, headDim: 8, vocabSize: 61, contextLength: 32, mask: 'add' };
const IDS = Uint32Array.from({ length: 11 }, (_, index) => (index * 17 + 5) % SHAPE.vocabSize);
const TOKEN = 7;
const HEAD = 3;
const TOLERANCE = 1e-5;

describe('where a token stands', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-embedding-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** What is shown of a token, and the first stream of the model itself. */
  async function shown(variant: Partial<DecoderShape>): Promise<{ view: EmbeddingView; stream: Float32Array }> {
    const shape = { ...SHAPE, ...variant };
    const file = path.join(folder, 'variant.onnx');
    buildDecoder(shape).builder.write(file);
    const decoder = await Decoder.open({ graphFile: file, config: configOf(shape), device: 'cpu' });
    try {
      const { stream, hiddenStates } = await decoder.forward(IDS, { hiddenStates: true });
      const params = { traceId: 1, token: TOKEN, layer: 1, head: HEAD };
      const view = await embeddingView(decoder.anatomy, { ids: IDS, stream }, params);
      const width = shape.heads * shape.headDim;
      return { view, stream: hiddenStates![0].slice(TOKEN * width, (TOKEN + 1) * width) };
    } finally {
      await decoder.dispose();
    }
  }

  for (const [name, first] of [
    ['counted from 0', 0],
    ['counted from 2, as OPT does', 2],
  ] as const) {
    it(`is a row of a table, ${name}`, async () => {
      const { view, stream } = await shown({ firstPosition: first });
      assert.deepEqual(
        view.steps.map(({ kind }) => kind),
        ['token', 'position', 'sum'],
      );
      const position = view.steps[1];
      assert.ok(position.kind === 'position');
      assert.deepEqual([position.form, position.row], ['learned', TOKEN + first]);
      close(view.steps[2].vector, stream, 'the sum');
      assert.deepEqual([view.rotary, view.alibiSlope, view.missing], [null, null, null]);
    });
  }

  it('is computed by sine and cosine', async () => {
    const { view, stream } = await shown({ positions: 'sinusoidal' });
    const position = view.steps[1];
    assert.ok(position.kind === 'position');
    assert.deepEqual([position.form, position.row], ['sinusoidal', null]);
    const pairs = position.vector.length / 2;
    const angle = (at: number) => TOKEN * 10_000 ** (-(at % pairs) / pairs);
    const expected = Array.from(position.vector, (_, at) => (at < pairs ? Math.sin(angle(at)) : Math.cos(angle(at))));
    close(position.vector, expected, 'sines and cosines');
    close(view.steps[2].vector, stream, 'the sum');
    assert.equal(view.missing, null);
  });

  for (const [dataType, source] of [
    [DataType.Float32, 'computed'],
    [DataType.Float16, 'computed'],
    [DataType.Float32, 'table'],
  ] as const) {
    for (const pairing of ['halves', 'neighbours'] as const) {
      for (const width of [8, 4]) {
        const precision = dataType === DataType.Float16 ? ', in half precision' : '';
        it(`turns ${width} of 8 numbers, ${pairing} together, by angles that are ${source === 'table' ? 'in a table' : source}${precision}`, async () => {
          const { view } = await shown({ positions: 'rotary', rotation: { width, pairing, source }, dataType });
          const { rotary } = view;
          assert.ok(rotary !== null);
          assert.deepEqual([rotary.pairing, rotary.angles.length, view.missing], [pairing, width / 2, null]);
          const tolerance = dataType === DataType.Float16 ? 5e-3 : TOLERANCE;
          const frequencies = Array.from({ length: width / 2 }, (_, pair) => 10_000 ** ((-2 * pair) / width));
          close(rotary.frequencies, frequencies, 'what a token further adds', tolerance);
          close(
            rotary.angles.map(Math.cos),
            frequencies.map((each) => Math.cos(TOKEN * each)),
            'cosines',
            tolerance,
          );
          close(
            rotary.angles.map(Math.sin),
            frequencies.map((each) => Math.sin(TOKEN * each)),
            'sines',
            tolerance,
          );
          for (const [before, after] of [
            [rotary.queryBefore, rotary.queryAfter],
            [rotary.keyBefore, rotary.keyAfter],
          ]) {
            const expected = Array.from(before);
            for (const [pair, frequency] of frequencies.entries()) {
              const [x, y] = pairing === 'halves' ? [pair, pair + width / 2] : [2 * pair, 2 * pair + 1];
              const [cosine, sine] = [Math.cos(TOKEN * frequency), Math.sin(TOKEN * frequency)];
              expected[x] = before[x] * cosine - before[y] * sine;
              expected[y] = before[x] * sine + before[y] * cosine;
            }
            close(after, expected, 'what is turned', tolerance * Math.hypot(...before));
          }
        });
      }
    }
  }

  it('is told by the distance alone (ALiBi)', async () => {
    const { view } = await shown({ positions: 'alibi' });
    assert.deepEqual([view.steps.length, view.rotary, view.missing], [1, null, null]);
    assert.ok(view.alibiSlope !== null && view.alibiSlope > 0);
  });
});

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, tolerance = TOLERANCE): void {
  assert.equal(actual.length, expected.length, what);
  for (let at = 0; at < actual.length; at++) {
    assert.ok(Math.abs(actual[at] - expected[at]) <= tolerance, `${what}: ${actual[at]} at ${at}, not ${expected[at]}`);
  }
}
