import path from 'node:path';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { takeDenormalsForZero } from '../../src/engine/runtime/providers';
import { type Bench, compare, type Measurement } from './bench';
import { DEFAULT_MODEL, gpt2SmallDecoding, someIds } from './models';
import { loadTransformers } from './transformers';

// As the engine's process does.
takeDenormalsForZero();

const LENGTH = 256;
const REPETITIONS = 7;

/** Reading a prompt up to the prediction of its next token, against the same by the library on the same folder. */
export const bench: Bench = async () => [
  await measure('GPT-2-small-shaped', await gpt2SmallDecoding(), 'onnx'),
  await measure('headlight-small', DEFAULT_MODEL, ''),
];

/** @param subfolder of the model folder in which the graph lies */
async function measure(name: string, directory: string, subfolder: string): Promise<Measurement> {
  const { graphFile, config } = await openModelFolder(directory);
  const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
  const decoding = await decoder.decoding();
  const { env, AutoModelForCausalLM, Tensor } = await loadTransformers();
  env.allowRemoteModels = false;
  env.localModelPath = path.dirname(directory);
  const model = await AutoModelForCausalLM.from_pretrained(path.basename(directory), {
    dtype: 'fp32',
    device: 'cpu',
    subfolder,
  });
  const ids = [...someIds(LENGTH, config.vocabSize)];
  const dims = [1, LENGTH];
  const inputs = {
    input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), dims),
    attention_mask: new Tensor('int64', new BigInt64Array(LENGTH).fill(1n), dims),
  };
  const { ratio, a, b } = await compare(
    REPETITIONS,
    async () => {
      decoding.truncate(0);
      await decoding.read(ids, 1);
    },
    () => model.generate({ ...inputs, max_new_tokens: 1, min_new_tokens: 1, do_sample: false }),
  );
  await model.dispose();
  await decoder.dispose();
  return {
    what: `${name}: prefill of ${LENGTH} tokens against @huggingface/transformers`,
    value: ratio,
    unit: 'ratio',
    limit: { atMost: 0.75 },
    detail: `${a.toFixed(0)} ms against ${b.toFixed(0)} ms`,
  };
}
