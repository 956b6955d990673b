import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buildDecoder, type DecoderShape } from '../unit/engine/onnx/decoder-models';

/**
 * Writes a model folder with the shape of a GPT-2 and random weights, unless it is there already. Speed and memory do not
 * depend on what the weights are, so it stands for the real one in benches, and only there.
 *
 * @param tokenizerFrom a model folder whose tokenizer files are copied
 * @returns the folder
 */
export async function gpt2ShapedModel(folder: string, shape: DecoderShape, tokenizerFrom: string): Promise<string> {
  if (existsSync(path.join(folder, 'onnx', 'model.onnx'))) {
    return folder;
  }
  await mkdir(path.join(folder, 'onnx'), { recursive: true });
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
    await copyFile(path.join(tokenizerFrom, file), path.join(folder, file));
  }
  const { layers, heads, headDim, vocabSize, contextLength } = shape;
  await writeFile(
    path.join(folder, 'config.json'),
    JSON.stringify({
      model_type: 'gpt2',
      architectures: ['GPT2LMHeadModel'],
      n_layer: layers,
      n_head: heads,
      n_embd: heads * headDim,
      n_positions: contextLength,
      n_ctx: contextLength,
      vocab_size: vocabSize,
      activation_function: 'gelu_new',
      layer_norm_epsilon: 1e-5,
      bos_token_id: 50256,
      eos_token_id: 50256,
    }),
  );
  const unfinished = path.join(folder, 'onnx', 'unfinished.onnx');
  buildDecoder(shape).builder.write(unfinished);
  await rename(unfinished, path.join(folder, 'onnx', 'model.onnx'));
  return folder;
}
