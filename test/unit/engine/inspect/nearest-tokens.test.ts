import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type NearToken, Neighbours } from '../../../../src/engine/inspect/nearest-tokens';
import type { Embedding } from '../../../../src/engine/onnx/embedding';
import type { KeptPass } from '../../../../src/engine/runtime/anatomy';
import { Decoder } from '../../../../src/engine/runtime/decoder';
import { floatData } from '../../../../src/engine/runtime/tensors';
import { buildDecoder, configOf, type DecoderShape } from '../onnx/decoder-models';

/** A table that takes more than one piece: 4 million numbers are compared at a time. */
const SHAPE: DecoderShape = { layers: 1, heads: 4, headDim: 64, vocabSize: 20_000, contextLength: 16, mask: 'add' };
const IDS = Uint32Array.from([5, 19_999, 5, 0, 15_700]);
const LIMIT = 6;

describe('the nearest tokens', () => {
  let folder: string;
  let decoder: Decoder;
  let pass: KeptPass;
  let embedding: Embedding;
  /** By id, all others with their cosines in float64, the nearest first. */
  let expected: Map<number, NearToken[]>;

  before(async function () {
    this.timeout(60_000);
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-nearest-'));
    const file = path.join(folder, 'model.onnx');
    buildDecoder(SHAPE).builder.write(file);
    decoder = await Decoder.open({ graphFile: file, config: configOf(SHAPE), device: 'cpu' });
    const { stream } = await decoder.forward(IDS, { hiddenStates: true });
    pass = { ids: IDS, stream };
    embedding = decoder.anatomy.plan.embedding!;
    const { index, rows } = embedding;
    const all = decoder.anatomy.integers(Array(SHAPE.vocabSize).keys(), [1, SHAPE.vocabSize]);
    const table = floatData((await decoder.anatomy.part(pass, 'table', new Map([[index, all]]), [rows]))[rows]);
    const width = SHAPE.heads * SHAPE.headDim;
    const row = (id: number) => table.subarray(id * width, (id + 1) * width);
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, at) => sum + value * b[at], 0);
    const cosine = (a: Float32Array, b: Float32Array) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    expected = new Map(
      [...new Set(IDS)].map((id) => [
        id,
        Array.from({ length: SHAPE.vocabSize }, (_, other) => ({ id: other, cosine: cosine(row(id), row(other)) }))
          .filter((each) => each.id !== id)
          .sort((a, b) => b.cosine - a.cosine),
      ]),
    );
  });
  after(async () => {
    await decoder.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const agrees = (found: readonly NearToken[], id: number, limit = LIMIT) => {
    const best = expected.get(id)!.slice(0, limit);
    assert.deepEqual(
      found.map((each) => each.id),
      best.map((each) => each.id),
    );
    for (const [at, { cosine }] of found.entries()) {
      assert.ok(Math.abs(cosine - best[at].cosine) < 1e-6, `${cosine} is not ${best[at].cosine}`);
    }
  };

  it('are found in the whole vocabulary, for one token', async () => {
    for (const id of new Set(IDS)) {
      agrees(await new Neighbours(decoder.anatomy).of(pass, embedding, id, LIMIT), id);
    }
    const many = await new Neighbours(decoder.anatomy).of(pass, embedding, 5, 100);
    agrees(many, 5, 100);
  });

  it('are found for all tokens of a passage at once, and not looked for again', async () => {
    const neighbours = new Neighbours(decoder.anatomy);
    for (const piece of neighbours.preparation(pass, embedding)) {
      await piece();
    }
    assert.deepEqual([...neighbours.preparation(pass, embedding)], []);
    const cancelled = { isCancellationRequested: true };
    for (const id of new Set(IDS)) {
      agrees(await neighbours.of(pass, embedding, id, LIMIT, cancelled), id);
    }
  });

  it('are not taken for known where a piece failed', async () => {
    const neighbours = new Neighbours(decoder.anatomy);
    let isFirst = true;
    for (const piece of neighbours.preparation(pass, embedding)) {
      if (!isFirst) {
        await piece();
      }
      isFirst = false;
    }
    await assert.rejects(neighbours.of(pass, embedding, 5, LIMIT, { isCancellationRequested: true }), {
      code: 'cancelled',
    });
    agrees(await neighbours.of(pass, embedding, 5, LIMIT), 5);
  });
});
