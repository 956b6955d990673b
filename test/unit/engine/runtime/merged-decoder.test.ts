import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Decoder } from '../../../../src/engine/runtime/decoder';
import { buildDecoder, configOf, type DecoderShape } from '../onnx/decoder-models';
import { buildMergedDecoder, type Merging } from '../onnx/merged-decoder';

const SHAPE: DecoderShape = {
  ...{ layers: 2, heads: 4, kvHeads: 2, headDim: 8, vocabSize: 61, contextLength: 32 },
  ...{ qkv: 'separate', positions: 'rotary', mask: 'add' },
};
const IDS = Array.from({ length: 12 }, (_, index) => (index * 17 + 5) % SHAPE.vocabSize);

describe('merged decoders', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-merged-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (name: string) =>
    Decoder.open({ graphFile: path.join(folder, name), config: configOf(SHAPE), device: 'cpu' });

  /** Everything of a merged decoder against the same decoder without branches. */
  async function compare(merging: Merging, note: RegExp, keepsCache: boolean): Promise<void> {
    buildMergedDecoder(SHAPE, merging).write(path.join(folder, 'merged.onnx'));
    buildDecoder({ ...SHAPE, past: true }).builder.write(path.join(folder, 'plain.onnx'));
    const [merged, plain] = [await open('merged.onnx'), await open('plain.onnx')];
    try {
      assert.match(merged.report.notes.join(), note);
      assert.deepEqual(plain.report.notes, []);
      assert.equal(merged.attentionUnavailable, null);
      assert.equal(merged.hiddenStatesUnavailable, null);
      assert.ok(merging.differs || merging.oneByOne || merged.parameters === plain.parameters);
      const [ours, theirs] = await Promise.all(
        [merged, plain].map((decoder) => decoder.forward(Uint32Array.from(IDS), { hiddenStates: true })),
      );
      close(ours.logits, theirs.logits);
      for (let layer = 0; layer < SHAPE.layers; layer++) {
        close(ours.hiddenStates![layer + 1], theirs.hiddenStates![layer + 1]);
        close(await ours.attention!.layer(layer), await theirs.attention!.layer(layer));
        close(await ours.attention!.head(layer, 3), await theirs.attention!.head(layer, 3));
        const additions = await Promise.all(
          [
            { decoder: merged, pass: ours },
            { decoder: plain, pass: theirs },
          ].map(({ decoder, pass }) =>
            decoder.anatomy.additions({ ids: Uint32Array.from(IDS), stream: pass.stream }, layer),
          ),
        );
        close(additions[0].feedForward, additions[1].feedForward);
      }
      const decoding = await merged.decoding();
      assert.equal(decoding.kind, keepsCache ? (await plain.decoding()).kind : 'none');
      await decoding.read(IDS.slice(0, 5), 1);
      const { logits } = await decoding.read(IDS.slice(5), 1);
      close(logits[0], theirs.logits.subarray(-SHAPE.vocabSize));
    } finally {
      await merged.dispose();
      await plain.dispose();
    }
  }

  it('read and write with the branch behind a cache, where it starts a text as well', async () => {
    await compare({}, /^The layers are those of If "If_\d+", then_branch, which goes on behind a cache/, true);
  });

  it('may have names and weights of their own in each branch', async () => {
    await compare({ ownNames: true, weightsInside: true }, /then_branch/, true);
  });

  it('read with the branch that starts a text and go on in the other, where that takes one token at a time', async () => {
    await compare({ oneByOne: true }, /else_branch, which starts a text; what is written goes on in the other/, true);
  });

  it('read the text again at every step, where the branch behind a cache goes on with another model', async () => {
    await compare({ differs: true }, /else_branch, which starts a text/, false);
  });
});

function close(actual: Float32Array, expected: Float32Array): void {
  assert.equal(actual.length, expected.length);
  const worst = actual.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index])), 0);
  assert.ok(worst < 1e-4, `differ by ${worst}`);
}
