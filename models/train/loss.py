"""Cross entropy over the whole vocabulary or over a part of it that stands for the whole."""
import numpy as np
import torch


class Part:
    """A part of the vocabulary for every step: the most frequent tokens, all tokens of the batch, and a uniform sample of
    the rest. A token in it stands for 1/pi tokens like it, pi being its probability of being in it."""

    def __init__(self, data, batch_tokens, always=4096, sample=1024):
        self.sample = sample
        self.always, self.rest = data.by_frequency[:always], data.by_frequency[always:]
        p = data.counts / data.counts.sum()
        pi = 1 - (1 - p) ** batch_tokens * (1 - sample / len(self.rest))
        pi[self.always] = 1
        self.log_pi = np.log(pi).astype(np.float32)

    def draw(self, x, y, rng):
        """The rows of the token table that this step uses, log pi of each, and x and y as places in those rows."""
        mark = np.zeros(len(self.log_pi), dtype=bool)
        mark[self.always] = True
        mark[rng.choice(self.rest, self.sample, replace=False)] = True
        mark[x] = True
        mark[y[y >= 0]] = True
        rows = np.flatnonzero(mark)
        place = np.zeros(len(mark), dtype=np.int64)
        place[rows] = np.arange(len(rows))
        return rows, self.log_pi[rows], place[x], np.where(y >= 0, place[y], -100)


def errors(logits, log_pi, y, scale):
    """Sum of -log p over the rows that count, and the gradient of that times `scale` for the logits."""
    counted = y >= 0
    own = y.clamp(min=0)[:, None]
    at = torch.arange(logits.size(1), device=y.device)[None] == own
    # a target stands for itself, whatever its pi
    z = logits.float() - torch.where(at, 0., log_pi)
    log_sum = torch.logsumexp(z, 1, keepdim=True)
    nll = torch.where(counted, log_sum[:, 0] - z.gather(1, own)[:, 0], 0.).sum()
    grad = ((z - log_sum).exp() - at.float()) * (counted * scale)[:, None]
    return nll, grad.to(logits.dtype)


class CrossEntropy(torch.autograd.Function):
    """Of the products of h and W, a few rows of h at a time, so that the logits stay in the cache and are never kept."""

    @staticmethod
    def forward(ctx, h, W, log_pi, y, scale, errors, dtype, rows):
        H, V = h.to(dtype), W.to(dtype)
        dh, dW, total = torch.empty_like(H), torch.zeros_like(W), 0.
        for i in range(0, len(H), rows):
            nll, grad = errors(H[i:i + rows] @ V.T, log_pi, y[i:i + rows], scale)
            total += nll
            torch.mm(grad, V, out=dh[i:i + rows])
            dW += grad.T @ H[i:i + rows]
        ctx.save_for_backward(dh.to(h.dtype), dW)
        return total * scale

    @staticmethod
    def backward(ctx, up):
        dh, dW = ctx.saved_tensors
        return dh * up, dW * up, None, None, None, None, None, None
