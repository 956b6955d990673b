"""Tiny random-weight models of the architectures, as transformers has them."""

import torch
import transformers as tf

VOCAB, CONTEXT, WIDTH, HEADS, KV_HEADS, LAYERS, INNER = 48, 32, 16, 2, 1, 2, 24

_GPT = dict(vocab_size=VOCAB, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_inner=INNER, bos_token_id=0, eos_token_id=0)
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
_FALCON = dict(
    vocab_size=VOCAB, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, bias=False, ffn_hidden_size=INNER,
    max_position_embeddings=CONTEXT,
)

#: What goes by another name than its architecture's.
ALSO = {
    "gpt2": "GPT-2, DistilGPT2", "gpt_neo": "GPT-Neo", "gpt_neox": "GPT-NeoX, Pythia", "opt": "OPT", "llama": "Llama, SmolLM2",
    "mistral": "Mistral", "qwen2": "Qwen 2, Qwen 2.5", "qwen3": "Qwen 3", "gemma": "Gemma", "gemma2": "Gemma 2",
    "gemma3_text": "Gemma 3", "phi": "Phi 1, 1.5, 2", "phi3": "Phi 3, 3.5", "stablelm": "StableLM", "bloom": "BLOOM",
    "falcon": "Falcon 7B", "falcon_40b": "Falcon 40B", "falcon_rw": "Falcon RW",
}

CONFIGS = {
    "gpt2": lambda: tf.GPT2Config(**_GPT),
    "gpt_neo": lambda: tf.GPTNeoConfig(
        vocab_size=VOCAB, max_position_embeddings=CONTEXT, hidden_size=WIDTH, num_layers=LAYERS, num_heads=HEADS, intermediate_size=INNER,
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
    "phi": lambda: tf.PhiConfig(**dict(_LLAMA, num_key_value_heads=HEADS, hidden_size=4 * WIDTH)),
    # The builder takes what is as long as the vocabulary for the head: gate and up together must not be.
    "phi3": lambda: tf.Phi3Config(
        **dict(_LLAMA, hidden_size=2 * WIDTH, intermediate_size=2 * WIDTH), original_max_position_embeddings=CONTEXT,
    ),
    "stablelm": lambda: tf.StableLmConfig(**_LLAMA),
    "bloom": lambda: tf.BloomConfig(vocab_size=VOCAB, hidden_size=WIDTH, n_layer=LAYERS, n_head=HEADS, seq_length=CONTEXT),
    "falcon": lambda: tf.FalconConfig(**_FALCON, multi_query=True, new_decoder_architecture=False, parallel_attn=True, alibi=False),
    "falcon_40b": lambda: tf.FalconConfig(**_FALCON, num_kv_heads=KV_HEADS, new_decoder_architecture=True, alibi=False),
    "falcon_rw": lambda: tf.FalconConfig(
        **_FALCON, multi_query=False, new_decoder_architecture=False, parallel_attn=False, alibi=True,
    ),
}


def build(name, seed=7, attention="eager", **changed):
    """A model with weights large enough that its heads differ; with the same ones whatever of its configuration is changed."""
    torch.manual_seed(seed)
    config = CONFIGS[name]()
    for key, value in changed.items():
        setattr(config, key, value)
    config._attn_implementation = attention
    config.use_cache = False
    model = tf.AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval().float()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                parameter.normal_(0, 0.25)
    return model
