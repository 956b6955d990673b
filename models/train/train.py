"""Trains the Headlight default model: a GPT-2 shaped decoder on the token files that prepare.py wrote.

    torchrun --nproc-per-node 2 train.py --data DATA --out RUN --steps 4000      # one process a core
    python train.py --data DATA --out RUN --steps 20000 --device cuda            # the same recipe on CUDA

A run that was stopped goes on from RUN/last.pt as if it had not been. What a step does follows from the seed and the
number of the step. While none of the phases that are counted from the end has begun, the number of steps can still be
changed: write it to RUN/steps. The run is then the one that --steps with that number gives from the start.

Hidden matrices are trained by Muon, everything else (embeddings, norms, biases) by Adam. For most of the run the softmax
is over a part of the vocabulary (loss.py), at the end over all of it.
"""
import argparse, itertools, json, math, os, time
from dataclasses import replace
import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from batches import Data, batch
from export import read_onnx
from loss import CrossEntropy, Part, errors
from model import EOT, Decoder
from optimisers import Muon, TableAdam
from schedule import Schedule

RANK, WORLD = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))


def add_up(tensors, dtype):
    """Adds up tensors over the processes, in one message."""
    if WORLD > 1:
        flat = torch.cat([t.reshape(-1).to(dtype) for t in tensors])
        dist.all_reduce(flat)
        for t, f in zip(tensors, flat.split([t.numel() for t in tensors])):
            t.copy_(f.view_as(t))


@torch.no_grad()
def held_out_bits(model, sets, dtype, device):
    """Bits per token on fixed held-out windows, every window opened by <|endoftext|>."""
    out = {}
    for name, w in sets.items():
        nll = torch.zeros(1, dtype=torch.float64)
        for i in range(4 * RANK, len(w), 4 * WORLD):
            y = torch.from_numpy(w[i:i + 4].astype(np.int64)).to(device)
            x = torch.cat([torch.full_like(y[:, :1], EOT), y[:, :-1]], 1)
            h = model(x, torch.arange(x.size(1), device=device).expand_as(x), dtype)
            for a, b in zip(h, y):
                nll += F.cross_entropy((a.to(dtype) @ model.wte.weight.to(dtype).T).float(), b, reduction='sum').item()
        add_up([nll], torch.float64)
        out[name] = round(nll.item() / w.size / math.log(2), 4)
    return out


@torch.no_grad()
def best_heads(model, device, L=50, n=4):
    """The highest previous-token and induction scores of any head on <|endoftext|> and L random tokens twice, in float32."""
    g = torch.Generator().manual_seed(1)
    r = torch.randint(0, 50256, (n, L), generator=g).to(device)
    ids = torch.cat([torch.full((n, 1), EOT, device=device), r, r], 1)
    T = ids.size(1)
    x = model.wte(ids) + model.wpe(torch.arange(T, device=device))
    mask = torch.ones(T, T, dtype=torch.bool, device=device).triu(1)
    rows = torch.arange(L + 1, T, device=device)
    previous, induction = [], []
    for b in model.h:
        q, k, _ = F.linear(b.ln_1(x), b.c_attn.weight, b.c_attn.bias).view(n, T, 3, b.heads, -1).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-1, -2) / q.size(-1) ** .5).masked_fill(mask, -1e9).softmax(-1).mean(0)
        previous.append(a[:, rows, rows - 1].mean(1)); induction.append(a[:, rows, rows - L + 1].mean(1))
        x = b(x, torch.float32)
    return {name: round(torch.stack(s).max().item(), 3) for name, s in (('previous', previous), ('induction', induction))}


def set_length(schedule, step, steps, file, say):
    """Takes another number of steps, from a file if there is one, as long as nothing has been done that depends on it."""
    steps = torch.tensor([steps])
    if RANK == 0 and os.path.exists(file):
        steps[0] = int(open(file).read())
    if WORLD > 1:
        dist.broadcast(steps, 0)
    before, schedule.steps = schedule.steps, int(steps)
    if schedule.steps != before:
        if step > schedule.tail() or step > replace(schedule, steps=before).tail():
            raise SystemExit(f'the run cannot become {schedule.steps} steps long at step {step}')
        say(steps=schedule.steps, step=step)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--data', required=True); ap.add_argument('--out', required=True)
    ap.add_argument('--steps', type=int, required=True); ap.add_argument('--seed', type=int, default=3)
    ap.add_argument('--start', default='', help='an exported model.onnx whose weights the run starts from')
    ap.add_argument('--device', default='cpu'); ap.add_argument('--threads', type=int, default=1, help='of each process')
    ap.add_argument('--dtype', default='bfloat16'); ap.add_argument('--compile', type=int, default=1)
    ap.add_argument('--batch', type=int, default=4096, help='tokens a step'); ap.add_argument('--micro', type=int, default=2048, help='tokens at a time')
    ap.add_argument('--muon-lr', type=float, default=0.02); ap.add_argument('--adam-lr', type=float, default=0.003)
    ap.add_argument('--eval-every', type=int, default=200)
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    torch.set_num_threads(a.threads); torch.manual_seed(a.seed)
    dtype, device = getattr(torch, a.dtype), a.device
    if WORLD > 1:
        dist.init_process_group('gloo')
    model = Decoder().to(device)
    if a.start:
        model.load_state_dict(read_onnx(a.start))
    hidden = [p for p in model.h.parameters() if p.ndim == 2]
    table = model.wte.weight.requires_grad_(False)
    small = [p for p in model.parameters() if p.requires_grad and not any(p is q for q in hidden)]
    muon = Muon(hidden, RANK, WORLD)
    adam = torch.optim.AdamW(small, betas=(.9, .98), eps=1e-9, weight_decay=0., fused=True)
    table_adam = TableAdam(table)
    optimisers = dict(muon=muon, adam=adam, table=table_adam)
    data = Data(a.data, a.seed, 512)
    part = Part(data, a.batch)
    sets = {n: np.fromfile(os.path.join(a.data, f'val-{n}.bin'), dtype=np.uint16) for n in ('code', 'prose')}
    sets = {n: v[:len(v) // 512 * 512].reshape(-1, 512) for n, v in sets.items()}
    sets = {n: v[np.linspace(0, len(v) - 1, 24).astype(int)] for n, v in sets.items()}
    schedule = Schedule(a.steps, a.batch)
    step = 0
    last = os.path.join(a.out, 'last.pt')
    if os.path.exists(last):
        ck = torch.load(last, map_location=device, weights_only=False)
        model.load_state_dict(ck['model'])
        step, schedule.steps = ck['step'], ck['steps']
        for n, o in optimisers.items():
            o.load_state_dict(ck['optimisers'][n])
    log = open(os.path.join(a.out, 'log.jsonl') if RANK == 0 else os.devnull, 'a')

    def say(**r):
        if RANK == 0:
            print(r, flush=True); log.write(json.dumps(r) + '\n'); log.flush()

    def save(name, **more):
        if RANK == 0:
            path = os.path.join(a.out, name)
            torch.save(dict(model=model.state_dict(), shape=model.shape, seed=a.seed, step=step, steps=schedule.steps, seen=step * a.batch, blocks=blocks, **more), path + '.tmp')
            os.replace(path + '.tmp', path)

    say(args=vars(a), tokens=len(data.tokens), step=step)
    if a.compile:
        for b in model.h:
            b.compile(dynamic=False)
    err = torch.compile(errors, dynamic=True) if a.compile else errors
    places = itertools.islice(schedule.places(), step, None)
    every = torch.arange(len(table), device=device)
    t0, bits = time.time(), []
    while step < schedule.steps:
        set_length(schedule, step, a.steps, os.path.join(a.out, 'steps'), say)
        rng = np.random.default_rng([a.seed, step])
        T = schedule.length(step)
        made, texts = schedule.rows(step)
        first, piece = next(places)
        blocks = first + texts
        x, y, pos = batch(data, T, made, texts, first, piece, rng)
        if schedule.whole_vocabulary(step):
            rows, log_pi, chunk = every, torch.zeros(len(every), device=device), 128
        else:
            rows, log_pi, x, y = part.draw(x, y, rng)
            rows, log_pi, chunk = torch.from_numpy(rows).to(device), torch.from_numpy(log_pi).to(device), 256
        scale = 1 / (y >= 0).sum()
        x, y, pos = (torch.from_numpy(np.ascontiguousarray(v[RANK::WORLD])).to(device) for v in (x, y, pos))
        W = table[rows].requires_grad_()
        total, n = 0., max(1, a.micro // T)
        for i in range(0, len(x), n):
            h = model.through(F.embedding(x[i:i + n], W) + model.wpe(pos[i:i + n]), dtype)
            loss = CrossEntropy.apply(h.flatten(0, 1), W, log_pi, y[i:i + n].flatten(), float(scale), err, dtype, chunk)
            loss.backward()
            total += loss.detach()
        add_up([p.grad for p in (*hidden, *small, W)], torch.bfloat16)
        torch.nn.utils.clip_grad_norm_([*small, W], 1.0)
        rate = schedule.rate(step)
        muon.param_groups[0].update(lr=a.muon_lr * rate, momentum=min(.95, .85 + .1 * step / 200))
        adam.param_groups[0]['lr'] = a.adam_lr * rate
        muon.step(); adam.step(); table_adam.step(rows, W.grad, a.adam_lr * rate)
        muon.zero_grad(); adam.zero_grad()
        step += 1; bits.append(float(total) * WORLD / math.log(2))
        if step % 20 == 0:
            say(step=step, tokens=step * a.batch, bits=round(float(np.mean(bits)), 4), rate=round(rate, 4), T=T, tokens_a_second=round(20 * a.batch / (time.time() - t0)))
            t0, bits = time.time(), []
        if step % a.eval_every == 0 or step == schedule.steps:
            with torch.compiler.set_stance('force_eager'):
                say(step=step, tokens=step * a.batch, held_out=held_out_bits(model, sets, dtype, device), **best_heads(model, device))
            save('last.pt', optimisers={n: o.state_dict() for n, o in optimisers.items()})
            t0 = time.time()
    save('final.pt')


if __name__ == '__main__':
    main()
