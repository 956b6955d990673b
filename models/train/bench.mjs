// Measures a model folder with onnxruntime-node: time to load, and time of one decoding step with the cache filled.
//   node models/train/bench.mjs models/headlight-small [out.json]
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ort from 'onnxruntime-node';

const [folder, out] = process.argv.slice(2);
const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
const sorted = (a) => a.sort((x, y) => x - y);
const median = (a) => sorted(a)[a.length >> 1];
const range = (a, round) => [sorted(a)[0], a.at(-1)].map(round);
const hundredths = (ms) => Math.round(ms * 100) / 100;
const loads = [];
let session;
for (let i = 0; i < 5; i++) {
  await session?.release();
  const t = performance.now();
  session = await ort.InferenceSession.create(join(folder, 'model.onnx'), { executionProviders: ['cpu'], intraOpNumThreads: 2 });
  loads.push(performance.now() - t);
}
const int64 = (values) => new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
const heads = config.n_head;
const size = config.n_embd / heads;
async function run(ids, past, length) {
  const feeds = {
    input_ids: int64(ids),
    attention_mask: int64(Array(length + ids.length).fill(1)),
    position_ids: int64(ids.map((_, i) => length + i)),
  };
  for (const name of session.inputNames.filter((n) => n.startsWith('past_key_values'))) {
    feeds[name] = past?.[name.replace('past_key_values', 'present')] ?? new ort.Tensor('float32', new Float32Array(0), [1, heads, 0, size]);
  }
  const t = performance.now();
  const result = await session.run(feeds);
  return [result, performance.now() - t];
}
const figures = { loadMs: Math.round(median(loads)), loadRange: range(loads, Math.round), stepMs: {}, stepRange: {} };
for (const context of [128, 448]) {
  let [past] = await run(Array.from({ length: context }, (_, i) => (i * 37) % 50257), undefined, 0);
  const steps = [];
  for (let i = 0; i < 40; i++) {
    const [next, ms] = await run([(i * 101) % 50257], past, context + i);
    steps.push(ms);
    past = next;
  }
  figures.stepMs[context] = hundredths(median(steps));
  figures.stepRange[context] = range(steps, hundredths);
}
console.log(figures);
if (out) writeFileSync(out, `${JSON.stringify(figures, null, 2)}\n`);
