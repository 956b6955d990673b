import assert from 'node:assert/strict';
import { parseDecoderConfig } from '../../../../src/engine/model/config';

const gpt2 = {
  model_type: 'gpt2',
  n_layer: 12,
  n_head: 12,
  n_embd: 768,
  n_positions: 1024,
  n_ctx: 1024,
  vocab_size: 50257,
  bos_token_id: 50256,
  eos_token_id: 50256,
};
const llama = {
  model_type: 'llama',
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  hidden_size: 576,
  max_position_embeddings: 8192,
  vocab_size: 49152,
  bos_token_id: 1,
  eos_token_id: [2, 0],
};

const parse = (json: unknown) => parseDecoderConfig(json, '/models/m/config.json');

describe('config.json', () => {
  it('is read with the names of GPT-2', () => {
    assert.deepEqual(parse(gpt2), {
      architecture: 'gpt2',
      layers: 12,
      heads: 12,
      kvHeads: 12,
      headDim: 64,
      hiddenSize: 768,
      vocabSize: 50257,
      contextLength: 1024,
      bosTokenId: 50256,
      eosTokenId: 50256,
    });
  });

  it('is read with the names of Llama, grouped-query heads and several end tokens', () => {
    const config = parse(llama);
    assert.equal(config.kvHeads, 3);
    assert.equal(config.headDim, 64);
    assert.equal(config.contextLength, 8192);
    assert.equal(config.eosTokenId, 2);
  });

  it('reads head_dim where it stands, even where hidden_size / heads is another number', () => {
    assert.equal(parse({ ...llama, head_dim: 128 }).headDim, 128);
    assert.equal(parse({ ...llama, hidden_size: 577, head_dim: 128 }).headDim, 128);
    assert.equal(parse({ ...llama, head_dim: null }).headDim, 64);
  });

  it('takes the length that BLOOM and Falcon were trained with where none stands there', () => {
    const bloom = { model_type: 'bloom', n_layer: 2, n_head: 2, n_embed: 16, vocab_size: 64 };
    assert.equal(parseDecoderConfig(bloom, 'config.json').contextLength, 2048);
    assert.equal(parseDecoderConfig(bloom, 'config.json').hiddenSize, 16);
    assert.equal(parseDecoderConfig({ ...bloom, seq_length: 32 }, 'config.json').contextLength, 32);
    assert.throws(() => parseDecoderConfig({ ...bloom, model_type: 'gpt2' }, 'config.json'), /max_position_embeddings/);
  });

  it('knows one key/value head of multi-query attention', () => {
    const falcon = { ...llama, num_key_value_heads: undefined, num_kv_heads: 9, multi_query: true };
    assert.equal(parse(falcon).kvHeads, 1);
    assert.equal(parse({ ...falcon, new_decoder_architecture: true }).kvHeads, 9);
    assert.equal(parse({ ...falcon, multi_query: false }).kvHeads, 9);
  });

  it('reads the decoder of a multimodal configuration', () => {
    const { model_type, vocab_size, ...text } = llama;
    const config = parse({ model_type: 'gemma3', vocab_size, hidden_size: 1, text_config: { ...text, model_type } });
    assert.equal(config.architecture, 'gemma3');
    assert.equal(config.hiddenSize, 576);
    assert.equal(config.vocabSize, 49152);
  });

  it('has no start or end token where the vocabulary does not have it', () => {
    const config = parse({ ...gpt2, vocab_size: 1000, eos_token_id: undefined });
    assert.equal(config.bosTokenId, null);
    assert.equal(config.eosTokenId, null);
  });

  it('names the field that is absent or impossible, and the file', () => {
    const failures: [unknown, RegExp][] = [
      [[], /is not a JSON object/],
      [{ ...gpt2, model_type: undefined }, /"model_type"/],
      [{ ...gpt2, n_layer: undefined }, /no "num_hidden_layers" \(nor "n_layer"/],
      [{ ...gpt2, n_layer: 0 }, /"n_layer" = 0/],
      [{ ...gpt2, n_head: -3 }, /"n_head" = -3/],
      [{ ...gpt2, n_embd: '768' }, /"n_embd" = "768"/],
      [{ ...gpt2, vocab_size: 1e300 }, /"vocab_size" = 1e\+300/],
      [{ ...gpt2, n_positions: 1.5 }, /"n_positions" = 1\.5/],
      [{ ...gpt2, n_embd: 769 }, /"n_embd" = 769, which its 12 attention heads do not divide/],
      [{ ...llama, num_key_value_heads: 4 }, /"num_key_value_heads" = 4, which does not divide its 9/],
    ];
    for (const [json, message] of failures) {
      assert.throws(() => parse(json), { code: 'model-invalid', message });
      assert.throws(() => parse(json), /^HeadlightError: \/models\/m\/config\.json .*\.$/);
    }
  });
});
