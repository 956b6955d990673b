import assert from 'node:assert/strict';
import { modelMarkdown } from '../../../src/editor/model-markdown';
import { formatBytes, formatCount } from '../../../src/editor/model-numbers';
import type { LayerReport, ModelReport } from '../../../src/protocol/model';

const LAYER: LayerReport = {
  form: 'MatMul → Softmax → MatMul',
  problem: null,
  ...{ queries: 'q', keys: 'k', values: 'v', scores: 's', maskedScores: 'm', weights: 'w' },
  ...{ heads: 4, kvHeads: 2 },
  ...{ residualBefore: 'x|0', residualAfter: 'x1', recomputed: 'from queries and keys' },
};
const REPORT: ModelReport = {
  model: {
    ...{ name: 'tiny_*model*', directory: '/m', architecture: 'llama', layers: 2, heads: 4, kvHeads: 2, headDim: 8 },
    ...{ hiddenSize: 32, vocabSize: 64, contextLength: 2048, parameters: 134_515_008 },
  },
  device: { device: 'cpu', reason: null },
  ...{
    graphFile: '/m/model.onnx',
    precision: 'int8',
    producer: 'pytorch',
    notes: ['There is no config.json.'],
    opsets: ['ai.onnx 17'],
    logits: 'logits',
  },
  inputs: [{ name: 'input_ids', role: 'tokens' }],
  attentionUnavailable: 'Layer 1 has an attention that Headlight cannot follow.',
  hiddenStatesUnavailable: null,
  layers: [LAYER, { ...LAYER, problem: 'it keeps it to itself', recomputed: null, queries: null, residualAfter: null }],
};

describe('page about a model', () => {
  const page = modelMarkdown(REPORT);

  it('names the model and what it is, with nothing read as Markdown that is a name', () => {
    assert.match(page, /^# tiny\\_\\\*model\\\*\n/);
    assert.match(page, /\| Heads of a layer \| 4 \(2 for keys and values\), 8 wide \|/);
    assert.match(page, /\| Parameters \| 135 M \(134,515,008\), int8 \|/);
    assert.match(page, /> Layer 1 has an attention/);
    assert.match(page, /\n\nThere is no config\.json\.\n\n/);
  });

  it('lists what was found in each layer, and what was not', () => {
    const [, first, second] = page.split('### Layer ');
    assert.match(
      first,
      /^0\n\n`MatMul → Softmax → MatMul` · 4 query heads on 2 key heads · a head is computed from queries and keys/,
    );
    assert.match(first, /\| residual stream before \| `x\\\|0` \|/);
    assert.match(second, /not shown: it keeps it to itself/);
    assert.match(second, /\| queries \| \*not found\* \|/);
    assert.match(second, /\| residual stream after \| \*not found\* \|/);
  });

  it('gives numbers in three figures', () => {
    assert.deepEqual([999, 17_700_000, 7_240_000_000].map(formatCount), ['999', '17.7 M', '7.24 B']);
    assert.deepEqual([68_200_000, 2_500_000_000].map(formatBytes), ['68.2 MB', '2.50 GB']);
  });
});
