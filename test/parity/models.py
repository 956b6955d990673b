"""Tiny random-weight models of the architectures, as transformers has them."""

import torch
import transformers as tf

VOCAB, CONTEXT, WIDTH, HEADS, KV_HEADS, LAYERS, INNER = 64, 32, 16, 2, 1, 2, 32

_GPT = dict(vocab_size=VOCAB, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, bos_token_id=0, eos_token_id=0)
_LLAMA = dict(
    vocab_size=VOCAB,
    max_position_embeddings=CONTEXT,
    hidden_size=WIDTH,
    intermediate_size=INNER,
    num_hidden_layers=LAYERS,
    num_attention_heads=HEADS,
    num_key_value_heads=KV_HEADS,
    bos_token_id=0,
    eos_token_id=0,
    pad_token_id=0,
)
_OWN_HEAD_DIM = dict(_LLAMA, head_dim=16)

CONFIGS = {
    "gpt2": lambda: tf.GPT2Config(**_GPT),
    "gpt_neo": lambda: tf.GPTNeoConfig(
        vocab_size=VOCAB, max_position_embeddings=CONTEXT, hidden_size=WIDTH, num_layers=LAYERS, num_heads=HEADS,
        attention_types=[[["global", "local"], 1]], window_size=4, bos_token_id=0, eos_token_id=0,
    ),
    "gpt_neox": lambda: tf.GPTNeoXConfig(
        vocab_size=VOCAB, max_position_embeddings=CONTEXT, hidden_size=WIDTH, intermediate_size=INNER,
        num_hidden_layers=LAYERS, num_attention_heads=HEADS, rotary_pct=0.5,
    ),
    "opt": lambda: tf.OPTConfig(
        vocab_size=VOCAB, max_position_embeddings=CONTEXT, hidden_size=WIDTH, ffn_dim=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, word_embed_proj_dim=WIDTH, bos_token_id=0, eos_token_id=0, pad_token_id=1,
    ),
    "llama": lambda: tf.LlamaConfig(**_OWN_HEAD_DIM),
    "mistral": lambda: tf.MistralConfig(**_OWN_HEAD_DIM, sliding_window=4),
    "qwen2": lambda: tf.Qwen2Config(**_OWN_HEAD_DIM),
    "qwen3": lambda: tf.Qwen3Config(**_OWN_HEAD_DIM),
    "gemma": lambda: tf.GemmaConfig(**_OWN_HEAD_DIM),
    "gemma2": lambda: tf.Gemma2Config(**_OWN_HEAD_DIM, sliding_window=4, query_pre_attn_scalar=16),
    "gemma3_text": lambda: tf.Gemma3TextConfig(**_OWN_HEAD_DIM, sliding_window=4, query_pre_attn_scalar=16),
    "phi": lambda: tf.PhiConfig(**dict(_LLAMA, num_key_value_heads=HEADS, hidden_size=2 * WIDTH)),
    "phi3": lambda: tf.Phi3Config(**_LLAMA),
    "stablelm": lambda: tf.StableLmConfig(**_LLAMA),
    "bloom": lambda: tf.BloomConfig(vocab_size=VOCAB, hidden_size=WIDTH, n_layer=LAYERS, n_head=HEADS, seq_length=CONTEXT),
    "falcon": lambda: tf.FalconConfig(
        vocab_size=VOCAB, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, multi_query=True,
        new_decoder_architecture=False, parallel_attn=True, bias=False, alibi=False, max_position_embeddings=CONTEXT,
    ),
}


def build(name, seed=7):
    """A model with weights large enough that its heads differ."""
    torch.manual_seed(seed)
    config = CONFIGS[name]()
    config._attn_implementation = "eager"
    config.use_cache = False
    model = tf.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval().float()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                parameter.normal_(0, 0.25)
    return model
