import assert from 'node:assert/strict';
import { CombinedAttention } from '../../../../src/engine/inspect/combined-attention';
import type { KeptAttention } from '../../../../src/engine/runtime/kept-attention';

const LENGTH = 4;
const HEADS = 2;
const LAYERS = 3;

/** Causal rows that sum to 1. */
function layerOf(seed: number): Float32Array {
  const weights = new Float32Array(HEADS * LENGTH * LENGTH);
  for (let row = 0; row < HEADS * LENGTH; row++) {
    const query = row % LENGTH;
    const raw = Array.from({ length: query + 1 }, (_, key) => 1 + ((seed * 7 + row * 5 + key * 3) % 11));
    const sum = raw.reduce((total, value) => total + value, 0);
    raw.forEach((value, key) => {
      weights[row * LENGTH + key] = value / sum;
    });
  }
  return weights;
}

describe('combined attention', () => {
  const layers = Array.from({ length: LAYERS }, (_, layer) => layerOf(layer));
  let asked: number[];
  let combined: CombinedAttention;
  beforeEach(() => {
    asked = [];
    combined = new CombinedAttention({
      layers: LAYERS,
      heads: HEADS,
      length: LENGTH,
      eachHead: async function* (layer: number) {
        asked.push(layer);
        // One place for all heads, as where they are computed one by one.
        const place = new Float32Array(LENGTH * LENGTH);
        for (let head = 0; head < HEADS; head++) {
          place.set(layers[layer].subarray(head * LENGTH * LENGTH, (head + 1) * LENGTH * LENGTH));
          yield place;
        }
      },
    } as unknown as KeptAttention);
  });

  const of = (layer: number, head: number, cell: number) => layers[layer][head * LENGTH * LENGTH + cell];
  const cells = Array.from({ length: LENGTH * LENGTH }, (_, cell) => cell);
  const close = (actual: Float32Array, expected: readonly number[]) => {
    assert.equal(actual.length, expected.length);
    for (const [at, value] of expected.entries()) {
      assert.ok(Math.abs(actual[at] - value) < 1e-6, `${actual[at]} at ${at} is not ${value}`);
    }
  };
  const meanOf = (layer: number) => cells.map((cell) => (of(layer, 0, cell) + of(layer, 1, cell)) / 2);

  it('takes the mean and the largest of the heads of a layer', async () => {
    close(await combined.matrix('layer-mean', 1), meanOf(1));
    close(
      await combined.matrix('layer-max', 1),
      cells.map((cell) => Math.max(of(1, 0, cell), of(1, 1, cell))),
    );
  });

  it('takes the mean and the largest of all heads, once for every layer asked for', async () => {
    const means = layers.map((_, layer) => meanOf(layer));
    close(
      await combined.matrix('model-mean', 2),
      cells.map((cell) => (means[0][cell] + means[1][cell] + means[2][cell]) / 3),
    );
    close(
      await combined.matrix('model-max', 0),
      cells.map((cell) => Math.max(...layers.flatMap((_, layer) => [of(layer, 0, cell), of(layer, 1, cell)]))),
    );
    asked = [];
    await combined.matrix('model-mean', 0);
    assert.deepEqual(asked, []);
  });

  it('rolls attention out as written down, and goes on from the layer before', async () => {
    const mixed = (layer: number) =>
      meanOf(layer).map((value, cell) => value / 2 + (cell % (LENGTH + 1) === 0 ? 0.5 : 0));
    const times = (a: readonly number[], b: readonly number[]) =>
      cells.map((cell) => {
        const [row, column] = [Math.floor(cell / LENGTH), cell % LENGTH];
        return Array.from({ length: LENGTH }, (_, k) => a[row * LENGTH + k] * b[k * LENGTH + column]).reduce(
          (sum, value) => sum + value,
          0,
        );
      });
    const first = await combined.matrix('rollout', 0);
    close(first, mixed(0));
    asked = [];
    const last = await combined.matrix('rollout', 2);
    assert.deepEqual(asked, [1, 2]);
    close(last, times(mixed(2), times(mixed(1), mixed(0))));
    for (let row = 0; row < LENGTH; row++) {
      const sum = last.subarray(row * LENGTH, (row + 1) * LENGTH).reduce((total, value) => total + value, 0);
      assert.ok(Math.abs(sum - 1) < 1e-6, 'rows still sum to 1');
    }
    close(await combined.matrix('rollout', 0), mixed(0));
  });

  it('stops when nobody waits any more', async () => {
    await assert.rejects(combined.matrix('rollout', 2, { isCancellationRequested: true }), { code: 'cancelled' });
  });
});
