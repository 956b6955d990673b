import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BytePairTokenizer } from '../../../../src/engine/model/byte-pair-tokenizer';
import { openEncoding } from '../../../../src/engine/model/encoding';
import { Decoder } from '../../../../src/engine/runtime/decoder';
import { Generator } from '../../../../src/engine/sampling/generator';
import { PrefixTree } from '../../../../src/engine/suggest/prefix-tree';
import { RememberingModel } from '../../../../src/engine/suggest/remembering-model';
import { buildDecoder, type DecoderShape } from '../onnx/decoder-models';
import { EditedText } from './edited-text';
import { ScriptedModel } from './scripted-model';

const SHAPE: DecoderShape = { layers: 2, heads: 2, headDim: 8, vocabSize: 50_257, contextLength: 256, mask: 'add' };
const STEPS = 6;

describe('RememberingModel', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-remembering-'));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const graphs = {
    buffered: { scripts: 200, variant: { past: true, positionIds: true } },
    tight: { scripts: 40, variant: { past: true } },
    none: { scripts: 20, variant: {} },
  };
  for (const [kind, { scripts, variant }] of Object.entries(graphs)) {
    it(`predicts over ${scripts} edit scripts what a fresh run does: cache ${kind}`, async function () {
      this.timeout(60_000);
      const shape = { ...SHAPE, ...variant };
      const file = path.join(folder, 'edited.onnx');
      buildDecoder(shape).builder.write(file);
      const { heads, kvHeads = heads, headDim } = shape;
      const config = {
        architecture: 'test',
        ...shape,
        kvHeads,
        hiddenSize: heads * headDim,
        bosTokenId: null,
        eosTokenId: null,
      };
      const decoder = await Decoder.open({ graphFile: file, config, device: 'cpu' });
      const decoding = await decoder.decoding();
      assert.equal(decoding.kind, kind);
      const tokenizer = new BytePairTokenizer(await openEncoding('r50k_base'), shape.vocabSize);
      // So small that some of what was read is gone when it is wanted again.
      const model = new RememberingModel(decoder, new PrefixTree(2_000_000));
      const generator = new Generator(7);
      const document = 'function add(a, b) {\n  return a + b;\n}\n\nconsole.log(add(1, 2));\n';
      let tokens = 0;
      let aheadOfAll = 0;
      for (let script = 0; script < scripts; script++) {
        const text = new EditedText(document, document.length, generator);
        for (let step = 0; step < STEPS; step++) {
          text.step();
          const ids = [...tokenizer.split(text.beforeCaret).ids];
          const wanted = Math.min(ids.length, 1 + Math.floor(generator.next() * 3));
          tokens += ids.length;
          const guess = step < STEPS - 1 ? [] : ids.slice(0, 2);
          const from = ids.length - wanted;
          const { predictions, ahead } = await model.predict(ids, from, (work) => work(), undefined, guess);
          assert.equal(predictions.length, wanted);
          aheadOfAll += ahead.length;
          if (step === STEPS - 1) {
            const { logits } = await decoder.forward(Uint32Array.from([...ids, ...guess]));
            for (const [row, prediction] of [...predictions, ...ahead.map((each) => each.prediction)].entries()) {
              const at = (ids.length - wanted + row) * shape.vocabSize;
              assert.ok(furthest(prediction, logits.subarray(at, at + shape.vocabSize)) <= 1e-4, `script ${script}`);
            }
          }
        }
      }
      if (kind !== 'none') {
        assert.ok(model.readTokens < 0.4 * tokens, `${model.readTokens} of ${tokens} tokens were read`);
      }
      assert.equal(aheadOfAll > 0, kind !== 'none');
      await decoder.dispose();
    });
  }

  it('remembers what was read ahead once it is known to be right', async () => {
    const scripted = new ScriptedModel(({ length }) => length, 10, 1e6);
    const turn = <T>(work: () => Promise<T>) => work();
    const { ahead } = await scripted.model.predict([0, 1], 1, turn, undefined, [2, 3]);
    assert.deepEqual(
      ahead.map(({ prediction }) => prediction.indexOf(Math.max(...prediction))),
      [3, 4],
    );
    scripted.model.remember([0, 1, 2], ahead[0]);
    await scripted.model.predict([0, 1, 2], 2, turn);
    assert.deepEqual(scripted.runs, [4]);
    assert.equal(scripted.model.tree.find([0, 1, 2, 3]).length, 3);
  });
});

function furthest(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  let most = 0;
  for (let id = 0; id < a.length; id++) {
    most = Math.max(most, Math.abs(a[id] - b[id]));
  }
  return most;
}
