"""Writes a model folder in the ordinary Hugging Face layout from a checkpoint of train.py.

    python export.py --checkpoint RUN/final.pt --out FOLDER             # weights as int8 with one scale a channel
    python export.py --checkpoint RUN/final.pt --out FOLDER --float     # weights as float32
    python export.py --checkpoint RUN/final.pt --out FOLDER --torch     # adds model.safetensors for GPT2LMHeadModel

The graph is built here, node by node, with the names and the shape that exporters give: every attention is MatMul,
Mul, Add, Softmax, MatMul. An int8 weight is Cast and Mul on initializers, which runtimes fold to float32 when they load.
"""
import argparse, json, os, shutil
import numpy as np
import onnx
import torch
from onnx import TensorProto as T, helper as H, numpy_helper
import tiktoken_r50k as r50k

MASKED = -1e30      # exp of it is exactly 0, and the sum of two of them is finite


class Graph:
    def __init__(self, quantise):
        self.nodes, self.inits, self.quantise, self.known = [], [], quantise, set()

    def const(self, name, a):
        if name not in self.known:
            self.known.add(name)
            self.inits.append(numpy_helper.from_array(np.asarray(a), name))
        return name

    def op(self, kind, name, *inputs, out=None, **attrs):
        out = out or f'{name}_output_0'
        self.nodes.append(H.make_node(kind, list(inputs), [out], name=name, **attrs))
        return out

    def weight(self, name, w, axis):
        """A matrix; with int8, one scale for every index along `axis`."""
        w = np.ascontiguousarray(w, dtype=np.float32)
        if not self.quantise:
            return self.const(name, w)
        q, s = quantised(w, axis)
        c = self.op('Cast', f'/{name}/Cast', self.const(f'{name}_int8', q), to=T.FLOAT)
        return self.op('Mul', f'/{name}/Mul', c, self.const(f'{name}_scale', s), out=name)


def quantised(w, axis):
    s = (np.abs(w).max(axis=1 - axis, keepdims=True) / 127).astype(np.float32)
    s[s == 0] = 1
    return np.clip(np.rint(w / s), -127, 127).astype(np.int8), s


def build(sd, shape, quantise=True):
    L, heads, d, V = (shape[k] for k in ('layers', 'heads', 'd', 'vocab'))
    dh = d // heads
    g = Graph(quantise)
    w = {k: v.float().numpy() for k, v in sd.items()}
    i64 = lambda n, v: g.const(n, np.array(v, dtype=np.int64))
    f32 = lambda n, v: g.const(n, np.array(v, dtype=np.float32))

    wte = g.weight('model.wte.weight', w['wte.weight'], 0)
    x = g.op('Add', '/model/embeddings/Add', g.op('Gather', '/model/wte/Gather', wte, 'input_ids'),
             g.op('Gather', '/model/wpe/Gather', f32('model.wpe.weight', w['wpe.weight']), 'position_ids'))

    # 0 where a query may look, MASKED elsewhere: later keys, and keys that attention_mask leaves out
    size = lambda name, src, axis: g.op('Gather', f'/model/mask/{name}', g.op('Shape', f'/model/mask/{name}_shape', src), i64(f'axis_{axis}', axis), axis=0)
    past, new = size('past', 'past_key_values.0.key', 2), size('new', 'input_ids', 1)
    total = g.op('Add', '/model/mask/total', past, new)
    keys = g.op('Cast', '/model/mask/keys', g.op('Range', '/model/mask/keys_range', i64('axis_0', 0), total, i64('axis_1', 1)), to=T.FLOAT)
    rows = g.op('Cast', '/model/mask/queries', g.op('Range', '/model/mask/queries_range', past, total, i64('axis_1', 1)), to=T.FLOAT)
    rows = g.op('Unsqueeze', '/model/mask/Unsqueeze', rows, i64('axes_1', [1]))
    later = g.op('Where', '/model/mask/Where', g.op('LessOrEqual', '/model/mask/LessOrEqual', keys, rows), f32('zero', 0), f32('masked', MASKED))
    kept = g.op('Cast', '/model/mask/Cast', 'attention_mask', to=T.FLOAT)
    left = g.op('Mul', '/model/mask/Mul', g.op('Sub', '/model/mask/Sub', f32('one', 1), kept), f32('masked', MASKED))
    left = g.op('Unsqueeze', '/model/mask/Unsqueeze_1', left, i64('axes_12', [1, 2]))
    mask = g.op('Add', '/model/mask/Add', later, left)

    def norm(name, at, x):
        return g.op('LayerNormalization', f'{name}/LayerNormalization', x, f32(f'model.{at}.weight', w[f'{at}.weight']),
                    f32(f'model.{at}.bias', w[f'{at}.bias']), axis=-1, epsilon=1e-5)

    def linear(name, at, init, x):
        y = g.op('MatMul', f'{name}/MatMul', x, g.weight(f'{init}.weight', w[f'{at}.weight'].T, 1))
        return g.op('Add', f'{name}/Add', y, f32(f'{init}.bias', w[f'{at}.bias']))

    for l in range(L):
        n, a, at = f'/model/layers.{l}', f'/model/layers.{l}/attn', f'h.{l}'
        init = f'model.layers.{l}'
        h = norm(f'{n}/ln_1', f'{at}.ln_1', x)
        qkv = linear(f'{a}/c_attn', f'{at}.c_attn', f'{init}.attn.c_attn', h)
        parts = [f'{a}/Split_output_{i}' for i in range(3)]
        g.nodes.append(H.make_node('Split', [qkv, i64('split', [d, d, d])], parts, name=f'{a}/Split', axis=-1))
        q, k, v = (g.op('Transpose', f'{a}/{c}/Transpose', g.op('Reshape', f'{a}/{c}/Reshape', p, i64('by_head', [0, 0, heads, dh])), perm=[0, 2, 1, 3])
                   for c, p in zip('qkv', parts))
        k = g.op('Concat', f'{a}/k/Concat', f'past_key_values.{l}.key', k, out=f'present.{l}.key', axis=2)
        v = g.op('Concat', f'{a}/v/Concat', f'past_key_values.{l}.value', v, out=f'present.{l}.value', axis=2)
        s = g.op('MatMul', f'{a}/MatMul', q, g.op('Transpose', f'{a}/Transpose', k, perm=[0, 1, 3, 2]))
        s = g.op('Mul', f'{a}/Mul', s, f32('scale', dh ** -0.5))
        p = g.op('Softmax', f'{a}/Softmax', g.op('Add', f'{a}/Add', s, mask), axis=-1)
        o = g.op('Transpose', f'{a}/Transpose_1', g.op('MatMul', f'{a}/MatMul_1', p, v), perm=[0, 2, 1, 3])
        o = g.op('Reshape', f'{a}/Reshape', o, i64('merged', [0, 0, d]))
        x = g.op('Add', f'{n}/Add', x, linear(f'{a}/c_proj', f'{at}.c_proj', f'{init}.attn.c_proj', o))
        h = norm(f'{n}/ln_2', f'{at}.ln_2', x)
        m = f'{n}/mlp'
        u = linear(f'{m}/c_fc', f'{at}.c_fc', f'{init}.mlp.c_fc', h)
        c = g.op('Mul', f'{m}/act/Mul', g.op('Pow', f'{m}/act/Pow', u, f32('three', 3)), f32('gelu_cubic', 0.044715))
        c = g.op('Mul', f'{m}/act/Mul_1', g.op('Add', f'{m}/act/Add', u, c), f32('gelu_root', (2 / np.pi) ** 0.5))
        c = g.op('Add', f'{m}/act/Add_1', g.op('Tanh', f'{m}/act/Tanh', c), f32('one', 1))
        u = g.op('Mul', f'{m}/act/Mul_3', g.op('Mul', f'{m}/act/Mul_2', u, f32('half', 0.5)), c)
        x = g.op('Add', f'{n}/Add_1', x, linear(f'{m}/c_proj', f'{at}.mlp_proj', f'{init}.mlp.c_proj', u))
    x = norm('/model/ln_f', 'ln_f', x)
    g.op('MatMul', '/lm_head/MatMul', x, g.op('Transpose', '/lm_head/Transpose', wte, perm=[1, 0]), out='logits')

    info = H.make_tensor_value_info
    ins = [info('input_ids', T.INT64, ['batch', 'sequence']), info('attention_mask', T.INT64, ['batch', 'past + sequence']),
           info('position_ids', T.INT64, ['batch', 'sequence'])]
    outs = [info('logits', T.FLOAT, ['batch', 'sequence', V])]
    for l in range(L):
        for kind in ('key', 'value'):
            ins.append(info(f'past_key_values.{l}.{kind}', T.FLOAT, ['batch', heads, 'past', dh]))
            outs.append(info(f'present.{l}.{kind}', T.FLOAT, ['batch', heads, 'past + sequence', dh]))
    graph = H.make_graph(g.nodes, 'headlight-small', ins, outs, g.inits)
    model = H.make_model(graph, opset_imports=[H.make_opsetid('', 17)], producer_name='headlight', ir_version=8)
    onnx.checker.check_model(model)
    return model


def read_onnx(path):
    """The weights of an exported model, as train.py names them: a starting point for more training."""
    init = {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}
    for n in [n for n in init if n.endswith('_int8')]:
        init[n[:-5]] = init[n].astype(np.float32) * init[n[:-5] + '_scale']
    sd = {}
    for n, v in init.items():
        if not n.startswith('model.') or n.endswith(('_int8', '_scale')):
            continue
        n = n[6:].replace('layers.', 'h.').replace('attn.c_', 'c_').replace('mlp.c_fc', 'c_fc').replace('mlp.c_proj', 'mlp_proj')
        matrix = v.ndim == 2 and not n.startswith(('wte', 'wpe'))
        sd[n] = torch.from_numpy((v.T if matrix else v).astype(np.float32).copy())
    return sd


def hugging_face(sd):
    """The names and orientation of GPT2LMHeadModel."""
    out = {}
    for n, v in sd.items():
        matrix = v.ndim == 2 and n.startswith('h.')
        n = n.replace('c_attn', 'attn.c_attn').replace('.c_proj', '.attn.c_proj').replace('c_fc', 'mlp.c_fc').replace('mlp_proj', 'mlp.c_proj')
        out['transformer.' + n] = (v.T if matrix else v).contiguous().float()
    return out


def tokenizer_json():
    """GPT-2's byte-level BPE in the format of Hugging Face: the merges are found again from the ranks."""
    ranks = r50k.ranks()
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = [b for b in range(256) if b not in keep]
    sign = {b: chr(b) for b in keep} | {b: chr(256 + i) for i, b in enumerate(spare)}
    show = lambda t: ''.join(sign[b] for b in t)
    vocab = {show(t): r for t, r in ranks.items()} | {'<|endoftext|>': 50256}
    merges = []
    for t, r in sorted(ranks.items(), key=lambda e: e[1]):
        if len(t) == 1:
            continue
        parts = [t[i:i + 1] for i in range(len(t))]
        while len(parts) > 2:
            i = min(range(len(parts) - 1), key=lambda i: (ranks.get(parts[i] + parts[i + 1], 1 << 30), i))
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        merges.append(f'{show(parts[0])} {show(parts[1])}')
    special = dict(id=50256, content='<|endoftext|>', single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    level = dict(type='ByteLevel', add_prefix_space=False, trim_offsets=True, use_regex=True)
    return dict(version='1.0', truncation=None, padding=None, added_tokens=[special], normalizer=None, pre_tokenizer=level,
                post_processor=None, decoder=level,
                model=dict(type='BPE', dropout=None, unk_token=None, continuing_subword_prefix='', end_of_word_suffix='', fuse_unk=False,
                           byte_fallback=False, ignore_merges=False, vocab=vocab, merges=merges))


def config(shape):
    return dict(_name_or_path='headlight-small', architectures=['GPT2LMHeadModel'], model_type='gpt2', n_layer=shape['layers'], n_head=shape['heads'],
                n_embd=shape['d'], n_inner=None, n_positions=shape['ctx'], n_ctx=shape['ctx'], vocab_size=shape['vocab'],
                activation_function='gelu_new', layer_norm_epsilon=1e-5, bos_token_id=50256, eos_token_id=50256, tie_word_embeddings=True,
                scale_attn_weights=True, scale_attn_by_inverse_layer_idx=False, reorder_and_upcast_attn=False,
                attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, initializer_range=0.02, use_cache=True, torch_dtype='float32')


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--checkpoint', required=True); ap.add_argument('--out', required=True)
    ap.add_argument('--float', action='store_true'); ap.add_argument('--torch', action='store_true')
    a = ap.parse_args()
    ck = torch.load(a.checkpoint, map_location='cpu', weights_only=False)
    tmp = a.out.rstrip('/') + '.tmp'
    shutil.rmtree(tmp, ignore_errors=True); os.makedirs(tmp)
    onnx.save(build(ck['model'], ck['shape'], not a.float), os.path.join(tmp, 'model.onnx'))
    put = lambda name, v: open(os.path.join(tmp, name), 'w', encoding='utf8').write(json.dumps(v, indent=2, ensure_ascii=False) + '\n')
    put('config.json', config(ck['shape']))
    put('tokenizer_config.json', dict(add_prefix_space=False, bos_token='<|endoftext|>', eos_token='<|endoftext|>', unk_token='<|endoftext|>',
                                      model_max_length=ck['shape']['ctx'], tokenizer_class='GPT2Tokenizer', tokenizer_encoding='r50k_base'))
    put('generation_config.json', dict(_from_model_config=True, bos_token_id=50256, eos_token_id=50256))
    with open(os.path.join(tmp, 'tokenizer.json'), 'w', encoding='utf8') as f:
        json.dump(tokenizer_json(), f, ensure_ascii=False, separators=(',', ':'))
    if a.torch:
        from safetensors.torch import save_file
        save_file(hugging_face(ck['model']), os.path.join(tmp, 'model.safetensors'), metadata={'format': 'pt'})
    if os.path.exists(os.path.join(a.out, 'figures.json')):
        shutil.copy(os.path.join(a.out, 'figures.json'), tmp)
    old = a.out.rstrip('/') + '.old'
    shutil.rmtree(old, ignore_errors=True)
    if os.path.exists(a.out):
        os.rename(a.out, old)
    os.rename(tmp, a.out)
    shutil.rmtree(old, ignore_errors=True)
    print({f: os.path.getsize(os.path.join(a.out, f)) for f in sorted(os.listdir(a.out))})


if __name__ == '__main__':
    main()
