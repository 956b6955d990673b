import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DataType } from '../../../../src/engine/onnx/data-type';
import type { KeptPass } from '../../../../src/engine/runtime/anatomy';
import { Decoder, type ForwardPass } from '../../../../src/engine/runtime/decoder';
import { buildDecoder, configOf, type DecoderShape } from '../onnx/decoder-models';

const SMALL: DecoderShape = { layers: 2, heads: 4, headDim: 8, vocabSize: 61, contextLength: 32 };
const IDS = Uint32Array.from({ length: 11 }, (_, index) => (index * 17 + 5) % SMALL.vocabSize);
const LENGTH = IDS.length;

const VARIANTS: Readonly<Record<string, Partial<DecoderShape>>> = {
  'GPT-2 of an old exporter': { scale: 'divide', mask: 'where-add' },
  'its norm out of parts': { mask: 'where-add', decomposedNorm: true },
  'queries and keys scaled, mask added': { scale: 'before', mask: 'add' },
  'a scale that the graph computes': { scale: 'computed', mask: 'add' },
  'softmax between casts': { softmaxCasts: true, mask: 'add' },
  'grouped queries': { qkv: 'separate', kvHeads: 2, positions: 'rotary', mask: 'add', scale: 'divide' },
  'one key/value head': { qkv: 'separate', kvHeads: 1, mask: 'add' },
  softcap: { softcap: 5, mask: 'add' },
  ALiBi: { positions: 'alibi', mask: 'add' },
  'a sliding window': { slidingWindow: 4, mask: 'add' },
  'heads folded into the batch': { foldedHeads: true, mask: 'add' },
  'parallel blocks': { parallelBlocks: true, positions: 'rotary', mask: 'add' },
  'a head that is computed': { computedHead: true, mask: 'add' },
  'a router beside the attention': { router: true, mask: 'add' },
  'a key/value cache': { past: true, mask: 'add', positions: 'rotary' },
  'half precision': { dataType: DataType.Float16, softmaxCasts: true, mask: 'add' },
};

describe('Anatomy', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-anatomy-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [name, variant] of Object.entries(VARIANTS)) {
    it(`composes the stages of ${name}`, async () => {
      const shape = { ...SMALL, ...variant };
      const file = path.join(folder, 'variant.onnx');
      buildDecoder(shape).builder.write(file);
      const decoder = await Decoder.open({ graphFile: file, config: configOf(shape), device: 'cpu' });
      try {
        const forward = await decoder.forward(IDS, { hiddenStates: true });
        const pass: KeptPass = { ids: IDS, stream: forward.stream };
        const tolerance = shape.dataType === DataType.Float16 ? 3e-2 : 1e-4;
        // What a layer mixes, and two additions or, where a part adds its terms one by one, more.
        assert.ok(forward.inner.size >= 3 * shape.layers);
        for (const kept of [pass, { ...pass, inner: forward.inner }]) {
          for (let layer = 0; layer < shape.layers; layer++) {
            await attentionComposes(decoder, kept, forward, layer, shape, tolerance);
            await additionsCompose(decoder, kept, forward, layer, tolerance);
            await headsCompose(decoder, kept, layer, shape, tolerance);
          }
        }
        await asksOnlyForTheRest(decoder, { ...pass, inner: forward.inner });
        const last = forward.hiddenStates!.at(-1)!;
        const normed = await decoder.anatomy.norm(pass, last);
        const logits = await decoder.anatomy.unembed(pass, normed);
        assertClose(logits, forward.logits, tolerance, 'the logits of the last stream');
        const asked = [SMALL.vocabSize - 1, 0, 17];
        const expected = Array.from(IDS).flatMap((_, row) => asked.map((id) => logits[row * SMALL.vocabSize + id]));
        assertClose(
          await decoder.anatomy.unembedTo(pass, normed, asked),
          expected,
          tolerance,
          'those of some tokens alone',
        );
      } finally {
        await decoder.dispose();
      }
    });
  }
});

/** What the run has handed out is not computed again: a stream without numbers makes no difference. */
async function asksOnlyForTheRest({ anatomy }: Decoder, pass: KeptPass): Promise<void> {
  const emptied = { ...pass, stream: [] };
  const [expected, actual] = [await anatomy.additions(pass, 1), await anatomy.additions(emptied, 1)];
  assert.deepEqual(actual, expected);
  assert.deepEqual(await anatomy.headAdditions(emptied, 1, 3), await anatomy.headAdditions(pass, 1, 3));
}

/** Scores → mask → softmax → × V is what the layer mixes. */
async function attentionComposes(
  { anatomy }: Decoder,
  pass: KeptPass,
  { attention }: ForwardPass,
  layer: number,
  { heads, headDim, scale }: DecoderShape,
  tolerance: number,
): Promise<void> {
  const { queries, keys, values, context, keyHeads, valueHeads } = await anatomy.layer(pass, layer);
  for (let head = 0; head < heads; head++) {
    const weights = await attention!.head(layer, head);
    const { product, scores, masked } = await anatomy.headScores(pass, layer, head);
    const vector = (tensor: Float32Array, own: number, token: number) => {
      const from = (Math.floor((head * own) / heads) * LENGTH + token) * headDim;
      return tensor.subarray(from, from + headDim);
    };
    for (let query = 0; query < LENGTH; query++) {
      const row = masked.subarray(query * LENGTH, (query + 1) * LENGTH);
      const largest = Math.max(...row);
      const total = row.reduce((sum, score) => sum + Math.exp(score - largest), 0);
      const mixed = new Float64Array(headDim);
      for (let key = 0; key < LENGTH; key++) {
        const cell = query * LENGTH + key;
        const what = `head ${layer}.${head}, ${query} on ${key}`;
        assertClose([Math.exp(row[key] - largest) / total], [weights[cell]], tolerance, `softmax of ${what}`);
        const dot = vector(queries, heads, query).reduce((sum, q, at) => sum + q * vector(keys, keyHeads, key)[at], 0);
        assertClose([product[cell]], [dot], 10 * tolerance, `product of ${what}`);
        if (key <= query && weights[cell] > 0) {
          assertClose([masked[cell]], [scores[cell]], tolerance, `${what} before and after the mask`);
        }
        vector(values, valueHeads, key).forEach((value, at) => {
          mixed[at] += weights[cell] * value;
        });
      }
      assertClose(vector(context, heads, query), mixed, tolerance, `what ${query} of head ${layer}.${head} mixes`);
    }
    // Nothing is taken out of the scores yet: pairs above the diagonal have theirs.
    assert.ok(
      scores.every((score) => Math.abs(score) < 1000),
      'scores are before the mask',
    );
    if (scale === 'divide') {
      assertClose([scores[1]], [product[1] / Math.sqrt(headDim)], tolerance, 'the scale');
    }
  }
}

/** The stream and what is added to it are the next stream. */
async function additionsCompose(
  { anatomy }: Decoder,
  pass: KeptPass,
  { hiddenStates }: ForwardPass,
  layer: number,
  tolerance: number,
): Promise<void> {
  const { attention, feedForward } = await anatomy.additions(pass, layer);
  const sum = hiddenStates![layer].map((value, at) => value + attention[at] + feedForward[at]);
  assertClose(sum, hiddenStates![layer + 1], tolerance, `the stream after layer ${layer}`);
}

/** The heads and the bias of the projection are what attention adds. */
async function headsCompose(
  { anatomy }: Decoder,
  pass: KeptPass,
  layer: number,
  { heads, headDim }: DecoderShape,
  tolerance: number,
): Promise<void> {
  const width = heads * headDim;
  const { attention } = await anatomy.additions(pass, layer);
  for (const position of [0, LENGTH - 1]) {
    const rows = await anatomy.headAdditions(pass, layer, position);
    const sum = new Float64Array(width);
    rows.forEach((value, at) => {
      sum[at % width] += value;
    });
    const expected = attention.subarray(position * width, (position + 1) * width);
    assertClose(sum, expected, tolerance, `the heads of layer ${layer} at ${position}`);
  }
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, what);
  for (let at = 0; at < actual.length; at++) {
    const difference = Math.abs(actual[at] - expected[at]);
    assert.ok(difference <= tolerance, `${what}: ${actual[at]} is not ${expected[at]}`);
  }
}
