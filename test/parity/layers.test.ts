import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { KeptPass } from '../../src/engine/runtime/anatomy';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { turningOf } from '../../src/engine/runtime/rotation';
import { HEADS_NOT_TOLD } from '../../src/protocol/stages';

const GOLDEN = path.resolve('test/parity/golden/models');
const TOLERANCE = 1e-4;

/** Written by stages.py: what PyTorch's hooks see inside a layer of a small Llama. */
interface LayerOfTorch {
  /** [H, T, d]; keys and values [kvHeads, T, d]. */
  readonly queriesBefore: readonly number[];
  readonly queries: readonly number[];
  readonly keysBefore: readonly number[];
  readonly keys: readonly number[];
  readonly values: readonly number[];
  /** [H, T, T] */
  readonly scores: readonly number[];
  readonly weights: readonly number[];
  /** [H, T, d] */
  readonly context: readonly number[];
  /** [T, D] */
  readonly attention: readonly number[];
  readonly feedForward: readonly number[];
  /** [T, F] */
  readonly neurons: readonly number[];
}

const { ids, layers }: { ids: readonly number[]; layers: readonly LayerOfTorch[] } = JSON.parse(
  readFileSync(path.join(GOLDEN, 'llama-torch-onnx-traced-cache', 'stages.json'), 'utf8'),
);

describe('what happens inside the layers of a Llama, against PyTorch', () => {
  // The same weights, as several exporters write them.
  for (const name of [
    'llama-torch-onnx-traced-cache',
    'llama-torch-onnx-dynamo',
    'llama-torch-onnx-dynamo-opset-23',
    'llama-genai-builder-fp32',
    'llama-genai-builder-fp32-for-cuda',
  ]) {
    it(`agrees: ${name}`, async () => {
      const { graphFile, config } = await openModelFolder(path.join(GOLDEN, name));
      const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
      try {
        const { stream } = await decoder.forward(Uint32Array.from(ids), { hiddenStates: true });
        const pass: KeptPass = { ids: Uint32Array.from(ids), stream };
        for (const [layer, expected] of layers.entries()) {
          await agrees(decoder, pass, layer, expected);
        }
      } finally {
        await decoder.dispose();
      }
    });
  }
});

/** The norm before attention and feed-forward of each export, whose gains are 1 and whose biases are 0. */
const NORMS: Readonly<Record<string, 'LayerNorm' | 'RMSNorm'>> = {
  'bloom-torch-onnx-traced': 'LayerNorm',
  'falcon-torch-onnx-traced-cache': 'LayerNorm',
  'gemma2-torch-onnx-traced': 'RMSNorm',
  'gpt2-dynamic-int8': 'LayerNorm',
  'gpt2-onnxruntimes-gpt-2-script': 'LayerNorm',
  'gpt2-optimum-1-20-merged': 'LayerNorm',
  'gpt2-torch-onnx-traced': 'LayerNorm',
  'llama-4-bit-matmulnbits': 'RMSNorm',
  'llama-genai-builder-fp32': 'RMSNorm',
  'llama-genai-builder-fp32-for-cuda': 'RMSNorm',
  'llama-qdq-int8': 'RMSNorm',
  'llama-torch-onnx-dynamo': 'RMSNorm',
  'llama-torch-onnx-dynamo-opset-23': 'RMSNorm',
  'llama-torch-onnx-traced-cache': 'RMSNorm',
};

describe('the norms before the parts of a block', () => {
  for (const [name, kind] of Object.entries(NORMS)) {
    it(`are found, and are what they are called: ${name}`, async () => {
      const inspector = await Inspector.open({ directory: path.join(GOLDEN, name), device: 'cpu' });
      try {
        const { id: traceId } = await inspector.traceIds([...ids]);
        for (const layer of [0, 1]) {
          const { attention, feedForward } = await inspector.stages.norms({ traceId, layer, token: 5 });
          for (const norm of [attention, feedForward]) {
            assert.equal(norm?.kind, kind);
            const centre = kind === 'LayerNorm' ? norm!.mean : 0;
            // A small number stands under the root, too.
            const largest = norm!.before.reduce(
              (most, x, d) => Math.max(most, Math.abs((x - centre) / norm!.divisor - norm!.after[d])),
              0,
            );
            assert.ok(largest < 1e-3, `layer ${layer} is off by ${largest}`);
          }
        }
      } finally {
        await inspector.dispose();
      }
    });
  }
});

describe('what single heads add to the stream', () => {
  // Eight bits are shared out by the largest number of all heads; Gemma 2 has a norm behind the projection.
  for (const [name, isTold] of [
    ['gpt2-torch-onnx-traced', true],
    ['llama-4-bit-matmulnbits', true],
    ['gpt2-dynamic-int8', false],
    ['gemma2-torch-onnx-traced', false],
  ] as const) {
    it(`is ${isTold ? 'told' : 'not told, and said why'}: ${name}`, async () => {
      const inspector = await Inspector.open({ directory: path.join(GOLDEN, name), device: 'cpu' });
      try {
        const { id: traceId } = await inspector.traceIds([...ids]);
        const where = { traceId, layer: 1, head: 0, query: 5, key: null, limit: 1 };
        const { projection } = await inspector.stages.workedRow(where);
        assert.equal(projection.available, isTold);
        assert.ok(projection.available || projection.reason === HEADS_NOT_TOLD);
      } finally {
        await inspector.dispose();
      }
    });
  }
});

async function agrees({ anatomy }: Decoder, pass: KeptPass, layer: number, expected: LayerOfTorch): Promise<void> {
  const length = pass.ids.length;
  const { heads, kvHeads } = anatomy.config;
  const { queries, keys, values, context, keyHeads, valueHeads } = await anatomy.layer(pass, layer);
  close(queries, expected.queries, 'queries');
  close(context, expected.context, 'mixed values');
  // Graphs may hold each key and value once for every query head that shares it.
  close(firstOfEach(keys, keyHeads, kvHeads), expected.keys, 'keys');
  close(firstOfEach(values, valueHeads, kvHeads), expected.values, 'values');
  for (let head = 0; head < heads; head++) {
    const { scores } = await anatomy.headScores(pass, layer, head);
    close(scores, expected.scores.slice(head * length ** 2, (head + 1) * length ** 2), `scores of head ${head}`);
  }
  const turning = await turningOf(anatomy, pass, layer);
  assert.ok(turning !== null);
  close(turning.queriesBefore, expected.queriesBefore, 'queries before they are turned');
  close(turning.queriesAfter, expected.queries, 'queries afterwards');
  close(turning.keysBefore, expected.keysBefore, 'keys before they are turned');
  close(turning.keysAfter, expected.keys, 'keys afterwards');
  const added = await anatomy.additions(pass, layer);
  close(added.attention, expected.attention, 'what attention adds');
  close(added.feedForward, expected.feedForward, 'what the feed-forward adds');
  const neurons = await anatomy.neurons(pass, layer);
  close(neurons!.activations, expected.neurons, 'neurons');
}

function firstOfEach(vectors: Float32Array, held: number, own: number): Float32Array {
  const size = vectors.length / held;
  const times = held / own;
  return Float32Array.from(
    { length: own * size },
    (_, at) => vectors[Math.floor(at / size) * times * size + (at % size)],
  );
}

function close(actual: ArrayLike<number>, expected: readonly number[], what: string): void {
  assert.equal(actual.length, expected.length, what);
  const largest = expected.reduce((most, value, at) => Math.max(most, Math.abs(value - actual[at])), 0);
  assert.ok(largest <= TOLERANCE, `${what} differ by ${largest}`);
}
