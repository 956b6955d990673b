import assert from 'node:assert/strict';
import path from 'node:path';
import * as cl100k_base from 'gpt-tokenizer/encoding/cl100k_base';
import * as o200k_base from 'gpt-tokenizer/encoding/o200k_base';
import * as p50k_base from 'gpt-tokenizer/encoding/p50k_base';
import * as r50k_base from 'gpt-tokenizer/encoding/r50k_base';
import { root } from '../../scripts/project.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { AttributionSource } from '../../src/protocol/stages';
import type { TokenReading } from '../../src/protocol/trace';
import { withWindow } from '../../src/protocol/training';
import { type Gpt2Run, ReferenceGpt2 } from './reference-gpt2';

const MODEL = path.join(root, 'models', 'headlight-small');
const TEXT = 'export function area(width: number, height: number) {\n\treturn width * height;\n}\n灯塔照亮了海面，灯塔';
const TOLERANCE = 1e-4;
const CODE_LAYER = 2;
const HEAD = 3;

function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  tolerance = TOLERANCE,
): void {
  assert.equal(actual.length, expected.length, what);
  for (let at = 0; at < actual.length; at++) {
    const difference = Math.abs(actual[at] - expected[at]);
    assert.ok(difference <= tolerance, `${what}: ${actual[at]} at ${at} is not ${expected[at]}`);
  }
}

describe('the stages against a plain GPT-2 in float64', () => {
  let inspector: Inspector;
  let reference: ReferenceGpt2;
  let run: Gpt2Run;
  let traceId: number;
  let ids: number[];
  let passage: readonly TokenReading[];
  let length: number;
  let width: number;
  let heads: number;
  let layers: number;
  let vocabSize: number;
  before(async function () {
    this.timeout(120_000);
    inspector = await Inspector.open({ directory: MODEL, device: 'cpu' });
    const trace = await inspector.trace(TEXT);
    traceId = trace.id;
    passage = trace.tokens;
    ids = passage.map(({ id }) => id);
    length = ids.length;
    ({ hiddenSize: width, heads, layers, vocabSize } = trace.model);
    reference = ReferenceGpt2.open(MODEL);
    run = reference.run(ids);
  });
  after(() => inspector.dispose());

  const whole = () => ({
    traceId,
    queries: { from: 0, to: length },
    keys: { from: 0, to: length },
    resolution: length,
  });

  for (const layer of [0, CODE_LAYER]) {
    it(`shows each step of a head of layer ${layer}`, async () => {
      const cells = length * length;
      const cut = (all: Float64Array) => all.subarray(HEAD * cells, (HEAD + 1) * cells);
      const scores = cut(run.layers[layer].scores);
      const weights = cut(run.attention[layer]);
      const { joint } = run.layers[layer];
      const headDim = width / heads;
      const valueNorm = (key: number) => {
        const from = key * 3 * width + 2 * width + HEAD * headDim;
        return Math.hypot(...joint.subarray(from, from + headDim));
      };
      const expected = {
        scores,
        masked: scores.map((score, cell) => (cell % length > Math.floor(cell / length) ? Number.NaN : score)),
        weights,
        weighted: weights.map((weight, cell) => weight * valueNorm(cell % length)),
      };
      for (const step of ['scores', 'masked', 'weights', 'weighted'] as const) {
        const shown = await inspector.stages.headStep({ ...whole(), layer, head: HEAD, step });
        assert.equal(shown.rows, length);
        const empty = shown.weights.map((value) => (Number.isNaN(value) ? 1 : 0));
        assertClose(
          empty,
          expected[step].map((value) => (Number.isNaN(value) ? 1 : 0)),
          `${step}: what is masked`,
        );
        const filled = (values: ArrayLike<number>) =>
          Array.from(values).map((value) => (Number.isNaN(value) ? 0 : value));
        assertClose(filled(shown.weights), filled(expected[step]), step);
        const extent = Math.max(...filled(expected[step]).map(Math.abs));
        assertClose([shown.extent], [extent], `${step}: extent`);
      }
    });
  }

  it('scores every head on random tokens as the definitions say', async () => {
    const scores = await inspector.headScores({ traceId });
    const { length: copy, repeatedIds, controlIds } = scores.randomText;
    const tokens = 2 * copy + 1;
    for (const [text, textIds] of [
      ['repeated', repeatedIds],
      ['control', controlIds],
    ] as const) {
      const { attention } = reference.run([...textIds]);
      const mean = (layer: number, head: number, keyOf: (query: number) => number) => {
        let sum = 0;
        for (let query = copy + 1; query < tokens; query++) {
          sum += attention[layer][(head * tokens + query) * tokens + keyOf(query)];
        }
        return sum / copy;
      };
      const every = (keyOf: (query: number) => number) =>
        Array.from({ length: layers * heads }, (_, at) => mean(Math.floor(at / heads), at % heads, keyOf));
      assertClose(
        scores[text].previous,
        every((query) => query - 1),
        `${text}: previous`,
      );
      assertClose(
        scores[text].induction,
        every((query) => query - copy + 1),
        `${text}: induction`,
      );
      assertClose(
        scores[text].duplicate,
        every((query) => query - copy),
        `${text}: duplicate`,
      );
      assertClose(
        scores[text].first,
        every(() => 0),
        `${text}: first`,
      );
    }
  });

  it('leads from the rows of the two tables to the stream', async () => {
    const token = length - 3;
    const view = await inspector.stages.embedding({ traceId, token, layer: 0, head: 0 });
    const tokens = reference.weight('wte.weight');
    const row = (id: number) => tokens.subarray(id * width, (id + 1) * width);
    const position = reference.weight('wpe.weight').subarray(token * width, (token + 1) * width);
    const [own, place, sum] = view.steps;
    assert.deepEqual(
      view.steps.map(({ kind }) => kind),
      ['token', 'position', 'sum'],
    );
    assertClose(own.vector, row(ids[token]), 'the row of the token');
    assert.ok(place.kind === 'position' && place.form === 'learned' && place.row === token);
    assertClose(place.vector, position, 'the row of the position');
    assertClose(sum.vector, run.hiddenStates[0].subarray(token * width, (token + 1) * width), 'their sum');
    assert.deepEqual([view.rotary, view.alibiSlope, view.missing], [null, null, null]);
    const { nearest } = await inspector.stages.nearestTokens({ traceId, token, limit: 10 });
    const norm = (vector: Float64Array) => Math.hypot(...vector);
    const cosines = Array.from({ length: vocabSize }, (_, id) => {
      const other = row(id);
      return other.reduce((dot, value, d) => dot + value * row(ids[token])[d], 0) / norm(other) / norm(row(ids[token]));
    });
    const best = cosines
      .filter((_, id) => id !== ids[token])
      .sort((a, b) => b - a)
      .slice(0, 10);
    assertClose(
      nearest.map(({ cosine }) => cosine),
      best,
      'the nearest rows',
    );
    assertClose(
      nearest.map(({ id }) => cosines[id]),
      best,
      'their tokens',
    );
  });

  it('works a row out that adds up', async () => {
    const query = length - 2;
    const row = await inspector.stages.workedRow({
      traceId,
      layer: CODE_LAYER,
      head: HEAD,
      query,
      key: 4,
      limit: length,
    });
    const headDim = width / heads;
    const { joint, mixed, scores } = run.layers[CODE_LAYER];
    const vector = (token: number, part: number) => {
      const from = token * 3 * width + part * width + HEAD * headDim;
      return joint.subarray(from, from + headDim);
    };
    assertClose(row.queryVector, vector(query, 0), 'the query');
    assert.equal(row.keys.length, query + 1);
    assert.ok(Math.abs(row.scale! - 1 / Math.sqrt(headDim)) < 1e-6, `the scale is ${row.scale}`);
    const sum = new Float64Array(headDim);
    for (const { key, keyVector, valueVector, product, score, masked, weight, valueNorm } of row.keys) {
      assertClose(keyVector, vector(key, 1), `key ${key}`);
      assertClose(valueVector, vector(key, 2), `value ${key}`);
      assertClose([score, masked!], Array(2).fill(scores[(HEAD * length + query) * length + key]), `score of ${key}`);
      assertClose([product], [score * Math.sqrt(headDim)], `product of ${key}`, 1e-3);
      assertClose([valueNorm], [Math.hypot(...valueVector)], `norm of ${key}`);
      valueVector.forEach((value, at) => {
        sum[at] += weight * value;
      });
    }
    assertClose(row.mixed, sum, 'weight × value, summed up');
    const from = query * width + HEAD * headDim;
    assertClose(row.mixed, mixed.subarray(from, from + headDim), 'the mix');
    assertClose([row.otherKeys, row.otherWeight], [0, 0], 'the rest');
  });

  it('projects the heads, side by side, to what the attention adds', async () => {
    const query = length - 2;
    const { projection } = await inspector.stages.workedRow({
      ...{ traceId, layer: CODE_LAYER, head: HEAD, query, key: null, limit: 1 },
    });
    const { mixed, attentionAdded } = run.layers[CODE_LAYER];
    const weight = reference.weight(`h.${CODE_LAYER}.attn.c_proj.weight`);
    const headDim = width / heads;
    const byHead = Array.from({ length: heads }, (_, head) => {
      const added = new Float64Array(width);
      for (let i = head * headDim; i < (head + 1) * headDim; i++) {
        for (let d = 0; d < width; d++) {
          added[d] += mixed[query * width + i] * weight[i * width + d];
        }
      }
      return added;
    });
    assert.ok(projection.available);
    assertClose(projection.added, byHead[HEAD], 'what the head adds', 1e-3);
    assertClose(
      projection.addedNorms,
      byHead.map((added) => Math.hypot(...added)),
      'lengths',
      1e-3,
    );
    assertClose(projection.total, attentionAdded.subarray(query * width, (query + 1) * width), 'all heads', 1e-3);
  });

  it('norms the stream before each part of a block', async () => {
    const token = length - 2;
    const norms = await inspector.stages.norms({ traceId, layer: CODE_LAYER, token });
    const before = run.hiddenStates[CODE_LAYER].subarray(token * width, (token + 1) * width);
    const added = run.layers[CODE_LAYER].attentionAdded.subarray(token * width, (token + 1) * width);
    for (const [view, name, row] of [
      [norms.attention, 'ln_1', before],
      [norms.feedForward, 'ln_2', before.map((value, d) => value + added[d])],
    ] as const) {
      const mean = row.reduce((sum, value) => sum + value, 0) / width;
      const deviation = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width);
      const [gain, bias] = ['weight', 'bias'].map((part) => reference.weight(`h.${CODE_LAYER}.${name}.${part}`));
      assert.equal(view!.kind, 'LayerNorm');
      assertClose([view!.mean, view!.divisor], [mean, deviation], name, 1e-3);
      assertClose(view!.before, row, `${name}, before`, 1e-3);
      const normed = row.map((value, d) => ((value - mean) / Math.sqrt(deviation ** 2 + 1e-5)) * gain[d] + bias[d]);
      assertClose(view!.after, normed, `${name}, after`);
    }
  });

  it('reads every layer with the lens as the final norm and the head do', async () => {
    const positions = { from: length - 5, to: length };
    const lens = await inspector.stages.lens({ traceId, positions, limit: 5 });
    assert.equal(lens.rows.length, layers + 1);
    for (const [depth, row] of lens.rows.entries()) {
      const stream = run.hiddenStates[depth].subarray(positions.from * width);
      const logits = reference.unembed(stream);
      for (const [at, { tokens, actual }] of row.entries()) {
        const probabilities = softmax(logits.subarray(at * vocabSize, (at + 1) * vocabSize));
        const best = [...probabilities].sort((a, b) => b - a).slice(0, 5);
        assertClose(
          tokens.map(({ probability }) => probability),
          best,
          `depth ${depth}, token ${at}`,
        );
        assertClose(
          tokens.map(({ id }) => probabilities[id]),
          best,
          `the tokens of depth ${depth}, token ${at}`,
        );
        const next = ids[positions.from + at + 1];
        if (next === undefined) {
          assert.equal(actual, null);
        } else {
          assertClose([actual!.probability], [probabilities[next]], 'what really follows');
          assert.equal(actual!.rank, probabilities.filter((p) => p > probabilities[next]).length + 1);
        }
      }
    }
  });

  it('ends the lens with the prediction itself', async () => {
    const positions = { from: length - 1, to: length };
    const lens = await inspector.stages.lens({ traceId, positions, limit: 5 });
    const { candidates } = inspector.candidates({
      traceId,
      sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
      limit: 5,
      seed: null,
    });
    const last = lens.rows.at(-1)![0].tokens;
    assert.deepEqual(
      last.map(({ id }) => id),
      candidates.slice(0, 5).map(({ id }) => id),
    );
    assertClose(
      last.map(({ probability }) => probability),
      candidates.slice(0, 5).map(({ probability }) => probability),
      'probabilities',
      1e-6,
    );
  });

  it('attributes the difference of two logits to the parts of the model', async () => {
    // A second pair at the same position is told from what is remembered of it, another position is not.
    for (const [position, target, against] of [
      [length - 3, ids[length - 2], ids[0]],
      [length - 3, ids[1], ids[length - 2]],
      [length - 2, ids[length - 1], ids[0]],
    ]) {
      const { parts, difference } = await inspector.stages.attribution({ traceId, position, target, against });
      const expected = reference.attribute(run, position, target, against);
      assert.deepEqual(
        parts.map(({ source }) => nameOf(source)),
        expected.map(({ name }) => name),
      );
      for (const [at, { name, value }] of expected.entries()) {
        assertClose([parts[at].value], [value], name, 1e-3);
      }
      const sum = parts.reduce((total, { value }) => total + value, 0);
      assertClose([sum], [difference], 'the sum of the parts', 1e-3);
      const logits = run.logits.subarray(position * vocabSize, (position + 1) * vocabSize);
      assertClose([difference], [logits[target] - logits[against]], 'the difference', 1e-3);
    }
  });

  it('measures the stream and what each block adds to it', async () => {
    const norms = await inspector.stages.streamNorms({ traceId });
    const rowNorms = (rows: Float64Array) =>
      Array.from({ length }, (_, t) => Math.hypot(...rows.subarray(t * width, (t + 1) * width)));
    assertClose(norms.stream, run.hiddenStates.flatMap(rowNorms), 'stream', 1e-3);
    assertClose(
      norms.attention,
      run.layers.flatMap(({ attentionAdded }) => rowNorms(attentionAdded)),
      'attention',
      1e-3,
    );
    assertClose(
      norms.feedForward,
      run.layers.flatMap(({ feedForwardAdded }) => rowNorms(feedForwardAdded)),
      'feed-forward',
      1e-3,
    );
  });

  it('lists the neurons that a token excites most', async () => {
    const token = length - 2;
    const answer = await inspector.stages.neurons({ traceId, layer: CODE_LAYER, token, limit: 12 });
    const { neurons, projected } = run.layers[CODE_LAYER];
    const inner = 4 * width;
    assert.equal(answer.width, inner);
    assert.equal(answer.activation, 'GELU (tanh)');
    assert.equal(answer.gated, false);
    const row = neurons.subarray(token * inner, (token + 1) * inner);
    const strongest = [...row.map(Math.abs)].sort((a, b) => b - a).slice(0, 12);
    assertClose(
      answer.neurons.map(({ value }) => Math.abs(value)),
      strongest,
      'magnitudes',
      1e-3,
    );
    for (const { neuron, value, projected: before, exciting } of answer.neurons) {
      assertClose([value, before[0]], [row[neuron], projected[token * inner + neuron]], `neuron ${neuron}`, 1e-3);
      const everywhere = Array.from({ length }, (_, t) => Math.abs(neurons[t * inner + neuron]));
      const best = [...everywhere].sort((a, b) => b - a).slice(0, exciting.length);
      assertClose(
        exciting.map(({ position }) => everywhere[position]),
        best,
        `what excites neuron ${neuron}`,
        1e-3,
      );
    }
  });

  it('shows how a word became tokens, and counts other vocabularies', async () => {
    for (const token of [0, 3, length - 1]) {
      const { steps, firstToken, tokens } = await inspector.stages.wordMerges({ traceId, token });
      assert.ok(firstToken <= token && token < firstToken + tokens);
      assert.deepEqual(
        steps.at(-1)!.parts.map(({ bytes }) => bytes),
        passage.slice(firstToken, firstToken + tokens).map(({ bytes }) => bytes),
      );
    }
    const { rows } = await inspector.stages.vocabularies({ traceId });
    const expected = { r50k_base, p50k_base, cl100k_base, o200k_base };
    assert.deepEqual(
      Object.fromEntries(rows.map(({ name, count }) => [name, count])),
      Object.fromEntries(Object.entries(expected).map(([name, { encode }]) => [name, encode(TEXT).length])),
    );
  });

  it('scores a text as training data', async () => {
    const view = withWindow(null, await inspector.stages.training({ traceId, stride: 16, window: 0 }));
    const losses = ids.slice(1).map((id, t) => {
      const row = softmax(run.logits.subarray(t * vocabSize, (t + 1) * vocabSize));
      return -Math.log(row[id]);
    });
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    assertClose(
      view.rows.map(({ loss }) => loss),
      losses,
      'losses',
    );
    assert.deepEqual(
      view.rows.map(({ input, target }) => [input.id, target.id]),
      ids.slice(1).map((id, t) => [ids[t], id]),
    );
    assertClose([view.meanLoss!, Math.log(view.perplexity!)], [mean, mean], 'the mean loss');
    const bytes = view.rows.reduce((sum, { target }) => sum + target.bytes.length, 0);
    assertClose([view.bitsPerByte!], [(mean * losses.length) / Math.LN2 / bytes], 'bits per byte');
    assert.equal(view.windows, 1);
  });
});

describe('the training view of a text that is longer than the context', () => {
  it('scores each token once, in windows', async () => {
    const inspector = await Inspector.open({ directory: MODEL, device: 'cpu' });
    try {
      const { contextLength } = inspector.loaded.model;
      const text = 'one two three four five six seven eight nine ten\n'.repeat(Math.ceil(contextLength / 8));
      const trace = await inspector.trace(text);
      assert.ok(trace.truncation !== null, 'the text is longer than the context');
      const stride = contextLength - 100;
      const part = (window: number) => inspector.stages.training({ traceId: trace.id, stride, window });
      let view = withWindow(null, await part(0));
      while (view.windowsRead < view.windows) {
        view = withWindow(view, await part(view.windowsRead));
      }
      const total = trace.truncation.totalTokens;
      assert.equal(view.tokens, total);
      assert.equal(view.windows, 1 + Math.ceil((total - contextLength) / stride));
      assert.deepEqual(
        view.rows.map(({ position }) => position),
        Array.from({ length: total - 1 }, (_, position) => position),
      );
      const beginOf = (window: number) => Math.min(window * stride, total - contextLength);
      for (const { position, context } of view.rows) {
        const window = Math.max(0, Math.ceil((position + 2 - contextLength) / stride));
        assert.equal(context, position + 1 - beginOf(window));
      }
      // The last window, inspected as a passage of its own.
      const ids = [...view.rows.map(({ input }) => input.id), view.rows.at(-1)!.target.id];
      const { tokens } = await inspector.traceIds(ids.slice(-contextLength));
      const own = view.rows.filter(({ position }) => position + 1 >= (view.windows - 2) * stride + contextLength);
      assert.equal(own.at(-1)!.context, contextLength - 1);
      assertClose(
        own.map(({ loss }) => loss),
        own.map(({ context }) => tokens[context].surprisal! * Math.LN2),
        'losses of the last window',
      );
      const mean = view.rows.reduce((sum, { loss }) => sum + loss, 0) / view.rows.length;
      assertClose([view.meanLoss!], [mean], 'the mean', 1e-9);
    } finally {
      await inspector.dispose();
    }
  }).timeout(120_000);
});

function nameOf(source: AttributionSource): string {
  switch (source.kind) {
    case 'embedding':
    case 'final-bias':
      return source.kind;
    case 'head':
      return `head ${source.layer}.${source.head}`;
    default:
      return `${source.kind} ${source.layer}`;
  }
}

function softmax(logits: Float64Array): Float64Array {
  const largest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const masses = logits.map((logit) => Math.exp(logit - largest));
  const sum = masses.reduce((total, mass) => total + mass, 0);
  return masses.map((mass) => mass / sum);
}
