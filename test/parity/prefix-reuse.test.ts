import assert from 'node:assert/strict';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { loadTokenizer } from '../../src/engine/model/load-tokenizer';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { Generator } from '../../src/engine/sampling/generator';
import { PrefixTree } from '../../src/engine/suggest/prefix-tree';
import { RememberingModel } from '../../src/engine/suggest/remembering-model';
import { EditedText } from '../unit/engine/suggest/edited-text';

const SCRIPTS = 200;
const STEPS = 4;
const DOCUMENT = 'Dear Ann,\nthe lamp went out.\n\nfor (const a of b) {\n\tadd(a);\n}\n';

describe('the default model, read on from what it has read before', () => {
  it(`predicts over ${SCRIPTS} edit scripts what a fresh run does`, async function () {
    this.timeout(300_000);
    const folder = await openModelFolder(path.join(root, 'models', 'headlight-small'));
    const { graphFile, config } = folder;
    const tokenizer = await loadTokenizer(folder);
    const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
    const decoding = await decoder.decoding();
    assert.equal(decoding.kind, 'buffered');
    const model = new RememberingModel(decoder, new PrefixTree(4_000_000));
    const generator = new Generator(11);
    let read = 0;
    for (let script = 0; script < SCRIPTS; script++) {
      const text = new EditedText(DOCUMENT, DOCUMENT.length, generator);
      let ids: number[] = [];
      let prediction: Float32Array = new Float32Array();
      for (let step = 0; step < STEPS; step++) {
        text.step();
        ids = [...tokenizer.split(text.beforeCaret).ids];
        read += ids.length;
        [prediction] = (await model.predict(ids, ids.length - 1, (work) => work())).predictions;
      }
      const { logits } = await decoder.forward(Uint32Array.from(ids));
      const last = logits.subarray(logits.length - config.vocabSize);
      const worst = prediction.reduce((most, logit, id) => Math.max(most, Math.abs(logit - last[id])), 0);
      assert.ok(worst <= 1e-4, `script ${script}: ${JSON.stringify(text.beforeCaret)} differs by ${worst}`);
    }
    assert.ok(model.readTokens < 0.5 * read, `${model.readTokens} of ${read} tokens were read`);
    await decoder.dispose();
  });
});
