"""The two optimisers: Muon for the hidden matrices, Adam for some rows of the token table."""
import torch
import torch.distributed as dist


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised by Newton-Schulz steps (Keller Jordan, 2024). The joint matrix of query, key
    and value counts as three. Matrices of one shape go through the steps together, each process taking its share."""

    def __init__(self, params, rank=0, world=1, weight_decay=0.01):
        super().__init__(params, dict(lr=0., momentum=0.95, weight_decay=weight_decay))
        self.rank, self.world = rank, world

    @torch.no_grad()
    def step(self):
        [g] = self.param_groups
        parts, updates = {}, {}
        for p in g['params']:
            st = self.state[p]
            if 'm' not in st:
                st['m'] = torch.zeros_like(p)
            st['m'].lerp_(p.grad, 1 - g['momentum'])
            v = p.grad.lerp(st['m'], g['momentum'])
            for part in v.split(v.size(1)) if v.size(0) == 3 * v.size(1) else (v,):
                parts.setdefault(min(part.shape) * 1_000_000 + max(part.shape), []).append((p, part))
        for group in parts.values():
            flat = torch.stack([v if v.size(0) <= v.size(1) else v.T for _, v in group])
            n = -(-len(group) // self.world)
            mine = orthogonal(flat[self.rank * n:(self.rank + 1) * n])
            if self.world > 1:
                all_ = [torch.empty_like(mine) for _ in range(self.world)]
                dist.all_gather(all_, mine)
                mine = torch.cat(all_)
            for (p, v), u in zip(group, mine):
                u = (u if v.size(0) <= v.size(1) else u.T) * max(1, v.size(0) / v.size(1)) ** 0.5
                updates.setdefault(p, []).append(u)
        for p in g['params']:
            p.mul_(1 - g['lr'] * g['weight_decay']).add_(torch.cat(updates[p]), alpha=-g['lr'])


def orthogonal(G, steps=5):
    X = G.bfloat16()
    X = X / (X.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        A = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=-4.7750, alpha=2.0315), X, beta=3.4445)
    return X


class TableAdam:
    """Adam on the rows of a table that a step has touched. The others are left as they are, and so are their moments:
    most of 50,257 rows have no gradient, and to go over them all would cost more than the rest of the step."""

    def __init__(self, table, betas=(.9, .98), eps=1e-9):
        self.table, self.betas, self.eps = table, betas, eps
        self.m, self.v, self.t = torch.zeros_like(table), torch.zeros_like(table), 0

    @torch.no_grad()
    def step(self, rows, grad, lr):
        self.t += 1
        b1, b2 = self.betas
        m = self.m[rows].lerp_(grad, 1 - b1)
        v = self.v[rows].lerp_(grad * grad, 1 - b2)
        self.m[rows], self.v[rows] = m, v
        root = (v / (1 - b2 ** self.t)).sqrt_().add_(self.eps)
        self.table[rows] -= lr / (1 - b1 ** self.t) * m / root

    def state_dict(self):
        return dict(m=self.m, v=self.v, t=self.t)

    def load_state_dict(self, s):
        self.m, self.v, self.t = s['m'], s['v'], s['t']
