"""Batches: rows of the training stream in a seeded order, and rows that repeat random tokens."""
import os
import numpy as np
from model import EOT


class Data:
    """Blocks of the training stream in a seeded order, without replacement; an epoch is one pass over all of them."""

    def __init__(self, folder, seed, ctx):
        self.tokens = np.fromfile(os.path.join(folder, 'train.bin'), dtype=np.uint16)
        self.ctx, self.seed, self.epoch = ctx, seed, None
        self.blocks = (len(self.tokens) - 1) // ctx
        self.counts = np.bincount(self.tokens, minlength=50257).astype(np.float64)
        self.by_frequency = np.argsort(-self.counts, kind='stable')

    def block(self, i):
        epoch, k = divmod(i, self.blocks)
        if self.epoch != epoch:
            self.epoch = epoch
            rng = np.random.default_rng([self.seed, epoch])
            self.order, self.shift = rng.permutation(self.blocks), int(rng.integers(self.ctx)) if epoch else 0
        s = int(self.order[k]) * self.ctx + self.shift
        return self.tokens[max(0, min(s, len(self.tokens) - self.ctx - 1)):][:self.ctx + 1].astype(np.int64)


def repeats(rng, T, ids):
    """A row in which spans of random tokens come again; only what comes again counts in the loss (-100 does not)."""
    out, known = [EOT], [False]
    while len(out) < T + 1:
        L = int(rng.integers(8, T // 2))
        span = rng.choice(ids if rng.random() < .5 else ids[:4096], L)      # any token, or frequent ones
        for k in range(int(rng.integers(2, 4))):
            out.extend(span)
            known.extend([k > 0] * L)
            if k > 0:
                known[-L] = False      # that the span comes again now cannot be known
    out = np.array(out[:T + 1])
    return out[:-1], np.where(known[1:T + 1], out[1:], -100)


def batch(data, T, made, rows, first, piece, rng, opened=.75):
    """Tokens, targets and positions of rows of T tokens. `made` rows repeat random tokens; the other `rows` are the same
    `piece` of a block each, from block `first` on. Three in four of these open with <|endoftext|> at position 0; the others
    start at any position."""
    ids = data.by_frequency[data.by_frequency != EOT]
    xs, ys, ps = [], [], []
    for i in range(made + rows):
        start = 0
        if i < made:
            x, y = repeats(rng, T, ids)
        else:
            text = data.block(first + i - made)[piece * T:(piece + 1) * T + 1]
            if rng.random() < opened:
                x, y = np.concatenate([[EOT], text[:T - 1]]), text[:T]
            else:
                x, y, start = text[:T], text[1:], int(rng.integers(data.ctx - T + 1))
        xs.append(x); ys.append(y); ps.append(np.arange(start, start + T))
    return [np.stack(a) for a in (xs, ys, ps)]
