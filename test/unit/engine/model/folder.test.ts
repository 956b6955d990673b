import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { readModelFolder } from '../../../../src/engine/model/folder';
import { loadTokenizer, tokenizerOf } from '../../../../src/engine/model/load-tokenizer';

const config = { model_type: 'gpt2', n_layer: 2, n_head: 2, n_embd: 8, n_positions: 16, vocab_size: 50257 };

describe('model folder', () => {
  let root: string;
  let folder: string;

  beforeEach(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'headlight-folder-'));
    folder = path.join(root, 'tiny');
    await mkdir(folder);
    await write('config.json', config);
    await write('tokenizer_config.json', { tokenizer_encoding: 'gpt2' });
    await write('model.onnx', '');
  });
  afterEach(() => rm(root, { recursive: true }));

  async function write(name: string, content: unknown): Promise<void> {
    await writeFile(path.join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }

  it('gives its parts', async () => {
    const read = await readModelFolder(folder);
    assert.equal(read.directory, folder);
    assert.equal(read.name, 'tiny');
    assert.equal(read.config!.layers, 2);
    assert.equal(read.graphFile, path.join(folder, 'model.onnx'));
    assert.deepEqual(read.tokenizerSource, { kind: 'encoding', encoding: 'r50k_base' });
  });

  it('finds the graph and the tokenizer where exports for the browser have them', async () => {
    await rm(path.join(folder, 'model.onnx'));
    await rm(path.join(folder, 'tokenizer_config.json'));
    await mkdir(path.join(folder, 'onnx'));
    await write('onnx/model.onnx', '');
    await write('tokenizer.json', {});
    const read = await readModelFolder(folder);
    assert.equal(read.graphFile, path.join(folder, 'onnx', 'model.onnx'));
    assert.deepEqual(read.tokenizerSource, { kind: 'file', file: path.join(folder, 'tokenizer.json') });
  });

  it('is named by its configuration where that gives a plain name', async () => {
    for (const [given, name] of [
      ['distilgpt2', 'distilgpt2'],
      ['openai-community/gpt2', 'gpt2'],
      ['/home/someone/out/step-9', 'tiny'],
      ['./out', 'tiny'],
      ['C:\\out', 'tiny'],
      ['', 'tiny'],
      [5, 'tiny'],
    ]) {
      await write('config.json', { ...config, _name_or_path: given });
      assert.equal((await readModelFolder(folder)).name, name);
    }
  });

  it('offers all graphs, whole precision first, and takes the one that is named', async () => {
    await mkdir(path.join(folder, 'onnx'));
    for (const name of ['model_q4', 'model_fp16', 'zebra', 'encoder_model', 'decoder_with_past_model']) {
      await writeFile(path.join(folder, 'onnx', `${name}.onnx`), '');
    }
    const relative = ({ graphFiles }: { readonly graphFiles: readonly string[] }) =>
      graphFiles.map((file) => path.relative(folder, file).replaceAll(path.sep, '/'));
    const names = ['model.onnx', 'onnx/model_fp16.onnx', 'onnx/model_q4.onnx', 'onnx/zebra.onnx'];
    assert.deepEqual(relative(await readModelFolder(folder)), names);
    const asked = await readModelFolder(path.join(folder, 'onnx', 'model_q4.onnx'));
    assert.deepEqual(relative(asked), [names[2], names[0], names[1], names[3]]);
    assert.equal(asked.directory, folder);
    assert.equal(asked.graphFile, asked.graphFiles[0]);
    assert.equal((await readModelFolder(path.join(folder, 'model.onnx'))).graphFile, path.join(folder, 'model.onnx'));
  });

  it('says in one sentence what is missing, and where', async () => {
    const missing = (directory: string, message: RegExp) =>
      assert.rejects(readModelFolder(directory), (error: Error & { code: string }) => {
        assert.equal(error.code, 'model-missing');
        assert.match(error.message, message);
        assert.ok(error.message.includes(directory), error.message);
        assert.match(error.message, /choose another .*\.$/);
        return true;
      });
    await missing(path.join(root, 'nowhere'), /^There is no model folder at/);
    await missing(path.join(folder, 'config.json'), /^A model is a folder, but a file stands at/);
    await rm(path.join(folder, 'tokenizer_config.json'));
    await missing(folder, /neither a tokenizer\.json nor/);
    await rm(path.join(folder, 'model.onnx'));
    await missing(folder, /neither model\.onnx nor onnx\/model\.onnx/);
  });

  it('takes the configuration that onnxruntime-genai writes, and none where there is none', async () => {
    await rm(path.join(folder, 'config.json'));
    const read = await readModelFolder(folder);
    assert.equal(read.config, null);
    assert.deepEqual(read.hints, { contextLength: null, bosTokenId: null, eosTokenId: null });
    await write('tokenizer_config.json', { tokenizer_encoding: 'gpt2', model_max_length: 1024 });
    await write('generation_config.json', { bos_token_id: 7, eos_token_id: [8, 9] });
    assert.deepEqual((await readModelFolder(folder)).hints, { contextLength: 1024, bosTokenId: 7, eosTokenId: 8 });
    const decoder = {
      head_size: 4,
      hidden_size: 8,
      num_attention_heads: 4,
      num_hidden_layers: 2,
      num_key_value_heads: 2,
    };
    const model = {
      type: 'llama',
      vocab_size: 100,
      context_length: 64,
      bos_token_id: 1,
      eos_token_id: [2, 3],
      decoder,
    };
    await write('genai_config.json', { model, search: {} });
    assert.deepEqual((await readModelFolder(folder)).config, {
      ...{ architecture: 'llama', layers: 2, heads: 4, kvHeads: 2, headDim: 4, hiddenSize: 8, vocabSize: 100 },
      ...{ contextLength: 64, bosTokenId: 1, eosTokenId: 2 },
    });
    await write('genai_config.json', { model: {} });
    await assert.rejects(readModelFolder(folder), { code: 'model-invalid', message: /no "model" with a "decoder"/ });
  });

  it('says which file is damaged', async () => {
    await write('config.json', '{"model_type": "gp');
    await assert.rejects(readModelFolder(folder), { code: 'model-invalid', message: /config\.json is not valid JSON/ });
  });

  it('refuses an encoding that there is not', async () => {
    await write('tokenizer_config.json', { tokenizer_encoding: 'r51k' });
    await assert.rejects(readModelFolder(folder), { code: 'tokenizer-unsupported', message: /"r51k".*r50k_base/ });
  });

  it('refuses, at load, a tokenizer with ids that the model does not have', async () => {
    await write('config.json', { ...config, vocab_size: 50255 });
    await assert.rejects(async () => loadTokenizer(await readModelFolder(folder)), {
      code: 'tokenizer-mismatch',
      message: /up to 50255, but the model's vocabulary ends at 50254/,
    });
    await write('config.json', { ...config, vocab_size: 50256 });
    await loadTokenizer(await readModelFolder(folder));
  });

  it('takes ids that only the model has for padding', async () => {
    await write('config.json', { ...config, vocab_size: 50304 });
    const tokenizer = await loadTokenizer(await readModelFolder(folder));
    assert.equal(tokenizer.vocabSize, 50304);
    assert.equal(tokenizer.textOf(50303), '');
    assert.throws(() => tokenizer.textOf(50304), { code: 'argument-invalid' });
  });

  it('gives its tokenizer once, and again after a failure was mended', async () => {
    await write('config.json', '{');
    await assert.rejects(tokenizerOf(folder), { code: 'model-invalid' });
    await write('config.json', config);
    const tokenizer = await tokenizerOf(folder);
    assert.equal(await tokenizerOf(folder), tokenizer);
  });
});
