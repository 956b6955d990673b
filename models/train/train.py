"""Trains the Headlight default model: a GPT-2 shaped decoder on the token files that prepare.py wrote.

    python train.py --data DATA --out RUN --minutes 90
    python train.py --data DATA --out RUN --minutes 60 --resume RUN/last.pt        # goes on from a checkpoint
    python train.py --data DATA --out RUN --minutes 60 --resume FOLDER/model.onnx  # goes on from exported weights
    python train.py --data DATA --out RUN --steps 20000 --device cuda              # the same recipe on CUDA
    torchrun --nproc-per-node 2 train.py --threads 1 --data DATA --out RUN …       # one process a core: steadier on a busy machine

The learning rate falls linearly to zero at the end of the budget, which is a number of steps (--steps, repeatable) or a
time (--minutes, for a machine that is shared with other work: the schedule then follows the clock).

Hidden matrices are trained by Muon, everything else (embeddings, norms, biases) by AdamW. For most of the run the
softmax is taken over a part of the vocabulary: the most frequent tokens, every target in the batch, and a uniform sample
of the rest, each weighted by the inverse of its probability of being in that part. The last stretch uses all of it.
"""
import argparse, json, math, os, time
import numpy as np
import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
import torch.utils.checkpoint

EOT = 50256
RANK, WORLD = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))


def average(tensors, dtype=None):
    """Averages tensors over the processes, in one message."""
    if WORLD > 1:
        flat = torch.cat([t.reshape(-1) for t in tensors]).to(dtype or tensors[0].dtype)
        dist.all_reduce(flat)
        for t, f in zip(tensors, flat.split([t.numel() for t in tensors])):
            t.copy_(f.view_as(t).to(t.dtype) / WORLD)


class Block(nn.Module):
    """Pre-LayerNorm block of GPT-2; the names are those of Hugging Face's GPT2LMHeadModel, with weights as nn.Linear."""

    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(d)
        self.c_attn = nn.Linear(d, 3 * d)
        self.c_proj = nn.Linear(d, d)
        self.ln_2 = nn.LayerNorm(d)
        self.c_fc = nn.Linear(d, 4 * d)
        self.mlp_proj = nn.Linear(4 * d, d)

    def forward(self, x, dt, guide=None):
        B, T, d = x.shape
        lin = lambda m, v: F.linear(v, m.weight.to(dt), m.bias.to(dt))
        q, k, v = lin(self.c_attn, self.ln_1(x).to(dt)).view(B, T, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + lin(self.c_proj, a.transpose(1, 2).reshape(B, T, d))
        h = F.gelu(lin(self.c_fc, self.ln_2(x).to(dt)), approximate='tanh')
        x = x + lin(self.mlp_proj, h)
        if guide is None:
            return x
        # how far this head is from looking at the token before: -log of the attention it gives it
        s = (q[:, guide] @ k[:, guide].transpose(1, 2)).float() * (d // self.heads) ** -0.5
        s = s.masked_fill(torch.ones(T, T, dtype=torch.bool, device=s.device).triu(1), -1e9)
        return x, (torch.logsumexp(s, -1)[:, 1:] - s.diagonal(-1, 1, 2)).mean()


class Decoder(nn.Module):
    def __init__(self, layers=6, heads=8, d=256, ctx=512, vocab=50257):
        super().__init__()
        self.shape = dict(layers=layers, heads=heads, d=d, ctx=ctx, vocab=vocab)
        self.wte = nn.Embedding(vocab, d)
        self.wpe = nn.Embedding(ctx, d)
        self.h = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(d)
        for n, p in self.named_parameters():
            if n.endswith('bias'):
                nn.init.zeros_(p)
            elif n.endswith('proj.weight'):
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * layers))
            elif 'ln_' not in n:
                nn.init.normal_(p, std=0.01 if n.startswith('wpe') else 0.02 if n.startswith('wte') else d ** -0.5 * 0.5)
        with torch.no_grad():
            self.wpe.weight += sinusoids(ctx, d)

    def forward(self, ids, pos, dt=torch.float32, guide=None):
        """`guide` names a head (layer, head); its distance from a previous-token head is then returned too."""
        x = self.wte(ids) + self.wpe(pos)
        aux = None
        for i, b in enumerate(self.h):
            if guide is not None and i == guide[0]:
                x, aux = b(x, dt, guide[1])
            else:
                x = b(x, dt)
        return self.ln_f(x) if guide is None else (self.ln_f(x), aux)


def sinusoids(ctx, d, waves=32, norm=0.7):
    """Waves of periods 3 to 1500 in a random plane each: a start for the position table in which `one before` is a
    rotation. A table of random rows has to learn that place by place, which takes a small run too long."""
    g = torch.Generator().manual_seed(0)
    planes = torch.linalg.qr(torch.randn(d, 2 * waves, generator=g))[0].T
    angle = torch.arange(ctx)[:, None] * (2 * math.pi / (3 * 500 ** (torch.arange(waves) / (waves - 1))))
    return torch.cat([angle.sin(), angle.cos()], 1) @ planes * norm / math.sqrt(waves)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised by five Newton-Schulz steps (Keller Jordan, 2024)."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            new = []
            for i, p in enumerate(g['params']):
                st = self.state[p]
                if 'm' not in st:
                    st['m'] = torch.zeros_like(p)
                st['m'].lerp_(p.grad, 1 - g['momentum'])
                u = torch.zeros_like(p)
                if i % WORLD == RANK:      # each process orthogonalises its share
                    v = p.grad.lerp(st['m'], g['momentum'])
                    # the joint query-key-value matrix is three matrices of its own
                    parts = v.split(v.size(1)) if v.size(0) == 3 * v.size(1) else (v,)
                    u = torch.cat([orthogonal(x) * max(1, x.size(0) / x.size(1)) ** 0.5 for x in parts]) * WORLD
                new.append(u)
            average(new, torch.bfloat16)
            for p, u in zip(g['params'], new):
                p.mul_(1 - g['lr'] * g['weight_decay']).add_(u, alpha=-g['lr'])


def orthogonal(G, steps=5):
    X = G.bfloat16()
    tall = X.size(0) > X.size(1)
    if tall:
        X = X.T
    X = X / (X.norm() + 1e-7)
    for _ in range(steps):
        A = X @ X.T
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return (X.T if tall else X).float()


class Data:
    """Blocks of the training stream in a seeded order, without replacement; an epoch is one pass over all of them."""

    def __init__(self, folder, seed, ctx):
        self.tokens = np.fromfile(os.path.join(folder, 'train.bin'), dtype=np.uint16)
        self.ctx, self.seed = ctx, seed
        self.blocks = (len(self.tokens) - 1) // ctx
        self.counts = np.bincount(self.tokens, minlength=50257).astype(np.float64)

    def block(self, i):
        epoch, k = divmod(i, self.blocks)
        if getattr(self, 'epoch', None) != epoch:
            self.epoch = epoch
            rng = np.random.default_rng([self.seed, epoch])
            self.order, self.shift = rng.permutation(self.blocks), int(rng.integers(self.ctx)) if epoch else 0
        s = int(self.order[k]) * self.ctx + self.shift
        return self.tokens[max(0, min(s, len(self.tokens) - self.ctx - 1)):][:self.ctx + 1].astype(np.int64)


def repeats(rng, T, vocab_ids):
    """A sequence in which spans of random tokens come again; only what comes again counts in the loss."""
    out, known = [EOT], [False]
    while len(out) < T + 1:
        L = int(rng.integers(8, 65 if rng.random() < .7 else T // 2))
        span = rng.choice(vocab_ids if rng.random() < .5 else vocab_ids[:4096], L)      # any token, or frequent ones
        times = int(rng.integers(2, 4))
        for k in range(times):
            out.extend(span)
            known.extend([k > 0] * L)
            if k > 0:
                known[-L] = False
    out = np.array(out[:T + 1])
    y = out[1:].copy()
    y[~np.array(known[1:T + 1])] = -100
    return out[:-1], y


def make_batch(data, cursor, T, tokens, rng, share, vocab_ids, bos=.75):
    """Rows of T tokens. Three in four open with <|endoftext|> at position 0; the others start at any position."""
    xs, ys, ps = [], [], []
    ctx = data.ctx
    n = tokens // T
    while len(xs) < n:
        if rng.random() < share:
            x, y = repeats(rng, T, vocab_ids)
            xs.append(x); ys.append(y); ps.append(np.arange(T))
            continue
        if cursor[0] % ctx + T > ctx:      # sequences have just become longer: the next whole block
            cursor[0] += -cursor[0] % ctx
        b = data.block(cursor[0] // ctx * WORLD + RANK)
        s = cursor[0] % ctx
        piece = b[s:s + T + 1]
        cursor[0] += T
        if rng.random() < bos:
            xs.append(np.concatenate([[EOT], piece[:T - 1]])); ys.append(piece[:T].copy()); ps.append(np.arange(T))
        else:
            xs.append(piece[:T]); ys.append(piece[1:].copy()); ps.append(np.arange(T) + int(rng.integers(ctx - T + 1)))
    return [torch.from_numpy(np.stack(a).astype(np.int64)) for a in (xs, ys, ps)]


class Head:
    """The softmax over a part of the vocabulary, or over all of it."""

    def __init__(self, counts, device, always, sample, batch_tokens):
        self.V = len(counts)
        self.sample = sample
        order = np.argsort(-counts, kind='stable')
        self.top = torch.from_numpy(order[:always].copy()).to(device)
        self.rest = torch.from_numpy(order[always:].copy()).to(device)
        p = counts / counts.sum()
        pi = 1 - (1 - p) ** batch_tokens * (1 - sample / len(self.rest))
        pi[order[:always]] = 1
        self.log_pi = torch.from_numpy(np.log(pi)).float().to(device)

    def part(self, y, rng):
        pick = torch.from_numpy(rng.choice(len(self.rest), self.sample, replace=False)).to(y.device)
        mark = torch.zeros(self.V, dtype=torch.bool, device=y.device)
        mark[self.top] = True
        mark[self.rest[pick]] = True
        mark[y[y >= 0]] = True
        cls = mark.nonzero()[:, 0]
        where = torch.full((self.V,), -100, dtype=torch.long, device=y.device)
        where[cls] = torch.arange(len(cls), device=y.device)
        return cls, torch.where(y >= 0, where[y.clamp(min=0)], -100)


def part_loss(h, W, log_pi, y, dt):
    logits = (h.to(dt) @ W.to(dt).T).float()
    n = (y >= 0).sum()
    yy = y.clamp(min=0)[:, None]
    own = logits.gather(1, yy)
    # every class stands for 1/pi classes like it; a row's own target stands for itself
    logits = (logits - log_pi).scatter(1, yy, own)
    return ((torch.logsumexp(logits, 1) - own[:, 0]) * (y >= 0)).sum() / n


def full_loss(h, W, y, dt, rows=512):
    """Over all of the vocabulary, a few rows at a time so that the logits stay in the cache."""
    return sum(torch.utils.checkpoint.checkpoint(chunk, h[i:i + rows], W, y[i:i + rows], dt, use_reentrant=False)
               for i in range(0, len(h), rows)) / (y >= 0).sum()


def chunk(h, W, y, dt):
    return F.cross_entropy((h.to(dt) @ W.to(dt).T).float(), y, ignore_index=-100, reduction='sum')


@torch.no_grad()
def evaluate(model, sets, dt, device):
    """Bits per token on the fixed held-out windows, every window opened by <|endoftext|>."""
    out = {}
    for name, w in sets.items():
        nll = torch.zeros(1, dtype=torch.float64)
        for i in range(4 * RANK, len(w), 4 * WORLD):
            y = torch.from_numpy(w[i:i + 4].astype(np.int64)).to(device)
            x = torch.cat([torch.full_like(y[:, :1], EOT), y[:, :-1]], 1)
            h = model(x, torch.arange(x.size(1), device=device).expand_as(x), dt)
            for a, b in zip(h, y):
                nll += F.cross_entropy((a.to(dt) @ model.wte.weight.to(dt).T).float(), b, reduction='sum').item()
        average([nll])
        out[name] = nll.item() * WORLD / w.size / math.log(2)
    return out


@torch.no_grad()
def head_scores(model, device, L=50, n=4):
    """Previous-token and induction score of every head on [BOS, r, r], in float32."""
    g = torch.Generator().manual_seed(1)
    r = torch.randint(0, 50256, (n, L), generator=g).to(device)
    ids = torch.cat([torch.full((n, 1), EOT, device=device), r, r], 1)
    T = ids.size(1)
    x = model.wte(ids) + model.wpe(torch.arange(T, device=device))
    mask = torch.ones(T, T, dtype=torch.bool, device=device).triu(1)
    prev, ind = [], []
    for b in model.h:
        q, k, _ = F.linear(b.ln_1(x), b.c_attn.weight, b.c_attn.bias).view(n, T, 3, b.heads, -1).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-1, -2) / q.size(-1) ** .5).masked_fill(mask, -1e9).softmax(-1).mean(0)
        rows = torch.arange(L + 1, T, device=device)
        prev.append(a[:, rows, rows - 1].mean(1)); ind.append(a[:, rows, rows - L + 1].mean(1))
        x = b(x, torch.float32)
    return torch.stack(prev).max().item(), torch.stack(ind).max().item()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--data', required=True); ap.add_argument('--out', required=True)
    ap.add_argument('--minutes', type=float, default=0); ap.add_argument('--steps', type=int, default=0)
    ap.add_argument('--stop-at', default='', help='HH:MM by the local clock; sets --minutes')
    ap.add_argument('--resume', default=''); ap.add_argument('--device', default='cpu'); ap.add_argument('--seed', type=int, default=3)
    ap.add_argument('--threads', type=int, default=2); ap.add_argument('--dtype', default='bfloat16')
    ap.add_argument('--layers', type=int, default=6); ap.add_argument('--heads', type=int, default=8)
    ap.add_argument('--d', type=int, default=256); ap.add_argument('--ctx', type=int, default=512)
    ap.add_argument('--batch', type=int, default=4096, help='tokens a step')
    ap.add_argument('--muon-lr', type=float, default=0.02); ap.add_argument('--adam-lr', type=float, default=0.003)
    ap.add_argument('--long-from', type=float, default=0.6, help='share of the budget after which sequences are ctx long, half of it before')
    ap.add_argument('--full-from', type=float, default=0.93, help='share of the budget after which the softmax is over all tokens')
    ap.add_argument('--decay-from', type=float, default=0.35)
    ap.add_argument('--repeat-share', type=float, default=0.06, help='share of the sequences that repeat random tokens; 0.4 times that after 60 %% of the budget')
    ap.add_argument('--guide', default='', help='LAYER.HEAD: for a while this head is also rewarded for looking at the token before')
    ap.add_argument('--guide-until', type=float, default=0.25); ap.add_argument('--guide-weight', type=float, default=0.3)
    ap.add_argument('--add-sinusoids', type=int, default=0, help='when a run goes on: adds them to its position table')
    ap.add_argument('--always', type=int, default=4096); ap.add_argument('--sample', type=int, default=2048)
    ap.add_argument('--eval-every', type=int, default=200); ap.add_argument('--compile', type=int, default=1)
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    torch.set_num_threads(a.threads); torch.manual_seed(a.seed)
    dt = getattr(torch, a.dtype)
    if WORLD > 1:
        dist.init_process_group('gloo')
    if a.stop_at:
        now = time.localtime(); hh, mm = map(int, a.stop_at.split(':'))
        a.minutes = (hh - now.tm_hour) * 60 + mm - now.tm_min - now.tm_sec / 60
    model = Decoder(a.layers, a.heads, a.d, a.ctx).to(a.device)
    hidden = [p for n, p in model.h.named_parameters() if p.ndim == 2]
    other = [p for p in model.parameters() if not any(p is q for q in hidden)]
    opts = [Muon(hidden, lr=a.muon_lr), torch.optim.AdamW(other, lr=a.adam_lr, betas=(.9, .98), eps=1e-9, weight_decay=0., fused=True)]
    data = Data(a.data, a.seed, a.ctx)
    sets = {n: np.fromfile(os.path.join(a.data, f'val-{n}.bin'), dtype=np.uint16) for n in ('code', 'prose')}
    sets = {n: v[:len(v) // 512 * 512].reshape(-1, 512) for n, v in sets.items()}
    sets = {n: v[np.linspace(0, len(v) - 1, 24).astype(int)] for n, v in sets.items()}
    vocab_ids = np.argsort(-data.counts[:50256], kind='stable')
    head = Head(data.counts, a.device, a.always, a.sample, a.batch // WORLD)
    step, cursor, seen, before = 0, [0], 0, 0.
    if a.resume:
        if a.resume.endswith('.onnx'):      # an exported model: weights only
            from export import read_onnx
            ck = dict(model=read_onnx(a.resume))
        else:
            ck = torch.load(a.resume, map_location=a.device, weights_only=False)
        model.load_state_dict(ck['model'])
        if a.add_sinusoids:
            with torch.no_grad():
                model.wpe.weight += sinusoids(a.ctx, a.d).to(a.device)
        if 'opts' in ck:
            for o, s in zip(opts, ck['opts']):
                o.load_state_dict(s)
        step, cursor, seen, before = ck.get('step', 0), [ck.get('cursor', 0)], ck.get('seen', 0), ck.get('minutes', 0.) if ck.get('same_budget') else 0.
    base = step
    guide = tuple(map(int, a.guide.split('.'))) if a.guide else None
    fwd = torch.compile(model, dynamic=False) if a.compile else model
    ploss = torch.compile(part_loss, dynamic=True) if a.compile else part_loss
    log = open(os.path.join(a.out, 'log.jsonl') if RANK == 0 else os.devnull, 'a')
    log.write(json.dumps({'args': vars(a), 'tokens': len(data.tokens)}) + '\n'); log.flush()
    t0 = last = time.time(); best = 1e9; run = []
    while True:
        progress = (step - base) / a.steps if a.steps else (time.time() - t0) / 60 / a.minutes
        if WORLD > 1:
            clock = torch.tensor([progress], dtype=torch.float64); dist.broadcast(clock, 0); progress = clock.item()
        if progress >= 1:
            break
        rng = np.random.default_rng([a.seed, step, RANK])
        T = a.ctx if progress >= a.long_from else a.ctx // 2
        scale = min(1, (step + 1) / 60) * min(1, (1 - progress) / (1 - a.decay_from))
        for o, lr in zip(opts, (a.muon_lr, a.adam_lr)):
            for g in o.param_groups:
                g['lr'] = lr * scale
                if o is opts[0]:
                    g['momentum'] = min(.95, .85 + .1 * step / 200)
        x, y, pos = [v.to(a.device) for v in make_batch(data, cursor, T, a.batch // WORLD, rng, a.repeat_share * (1 if progress < .6 else .4), vocab_ids)]
        if guide and progress < a.guide_until:
            h, aux = fwd(x, pos, dt, guide)
        else:
            h, aux = fwd(x, pos, dt), None
        h = h.reshape(-1, a.d)
        y = y.reshape(-1)
        if progress >= a.full_from:
            loss = full_loss(h, model.wte.weight, y, dt)
        else:
            cls, yy = head.part(y, rng)
            loss = ploss(h, model.wte.weight[cls], head.log_pi[cls], yy, dt)
        (loss if aux is None else loss + a.guide_weight * aux).backward()
        average([p.grad for p in model.parameters()], torch.bfloat16)
        torch.nn.utils.clip_grad_norm_(other, 1.0)
        for o in opts:
            o.step(); o.zero_grad()
        step += 1; seen += x.numel() * WORLD; run.append(loss.item() / math.log(2))
        if step % 20 == 0:
            now = time.time()
            r = dict(step=step, tokens=seen, progress=round(progress, 4), bits=round(float(np.mean(run)), 4), lr=round(scale, 4), T=T,
                     guide=None if aux is None else round(aux.item(), 3),
                     tok_s=round(20 * a.batch / (now - last)), minutes=round((now - t0) / 60, 2))
            last, run = now, []
            say(r); log.write(json.dumps(r) + '\n'); log.flush()
        if step % a.eval_every == 0:
            model.eval(); e = evaluate(model, sets, dt, a.device); p, i = head_scores(model, a.device); model.train()
            r = dict(step=step, tokens=seen, held_out={k: round(v, 4) for k, v in e.items()}, previous=round(p, 3), induction=round(i, 3))
            say(r); log.write(json.dumps(r) + '\n'); log.flush()
            save(a, model, opts, step, cursor, seen, 'last.pt', (time.time() - t0) / 60)
            if sum(e.values()) < best:
                best = sum(e.values()); save(a, model, None, step, cursor, seen, 'best.pt', 0)
            last = time.time()
    model.eval(); e = evaluate(model, sets, dt, a.device)
    r = dict(step=step, tokens=seen, held_out={k: round(v, 4) for k, v in e.items()}, final=True)
    say(r); log.write(json.dumps(r) + '\n'); log.flush()
    save(a, model, opts, step, cursor, seen, 'last.pt', (time.time() - t0) / 60)
    save(a, model, None, step, cursor, seen, 'final.pt', 0)


def say(r):
    if RANK == 0:
        print(r, flush=True)


def save(a, model, opts, step, cursor, seen, name, minutes):
    if RANK:
        return
    ck = dict(model=model.state_dict(), shape=model.shape, step=step, cursor=cursor[0], seen=seen, minutes=minutes)
    if opts:
        ck['opts'] = [o.state_dict() for o in opts]
    path = os.path.join(a.out, name)
    torch.save(ck, path + '.tmp'); os.replace(path + '.tmp', path)


if __name__ == '__main__':
    main()
