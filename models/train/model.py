"""The decoder, in the shape of GPT-2. Names are those of Hugging Face's GPT2LMHeadModel, with weights as nn.Linear has them."""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

EOT = 50256      # <|endoftext|>


class Block(nn.Module):
    """Pre-LayerNorm block. Products are in `dtype`; the residual stream stays in float32."""

    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(d)
        self.c_attn = nn.Linear(d, 3 * d)
        self.c_proj = nn.Linear(d, d)
        self.ln_2 = nn.LayerNorm(d)
        self.c_fc = nn.Linear(d, 4 * d)
        self.mlp_proj = nn.Linear(4 * d, d)

    def forward(self, x, dtype):
        B, T, d = x.shape
        linear = lambda m, v: F.linear(v.to(dtype), m.weight.to(dtype), m.bias.to(dtype))
        q, k, v = linear(self.c_attn, self.ln_1(x)).view(B, T, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        # in full: on CPUs the backward pass of the fused kernel takes several times as long as all of this
        s = (q @ k.transpose(-1, -2)).float() * (d // self.heads) ** -0.5
        later = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1)
        a = s.masked_fill(later, -1e9).softmax(-1).to(dtype) @ v
        x = x + linear(self.c_proj, a.transpose(1, 2).reshape(B, T, d))
        return x + linear(self.mlp_proj, F.gelu(linear(self.c_fc, self.ln_2(x)), approximate='tanh'))


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

    def forward(self, ids, pos, dtype=torch.float32):
        """The last hidden states, normed."""
        return self.through(self.wte(ids) + self.wpe(pos), dtype)

    def through(self, x, dtype):
        for b in self.h:
            x = b(x, dtype)
        return self.ln_f(x)


def sinusoids(ctx, d, waves=32, norm=1.4):
    """Waves of periods 3 to 1500 in a random plane each: a start for the position table in which `one before` is a
    rotation. A table of random rows has to learn that place by place, which takes a small run too long."""
    g = torch.Generator().manual_seed(0)
    planes = torch.linalg.qr(torch.randn(d, 2 * waves, generator=g))[0].T
    angle = torch.arange(ctx)[:, None] * (2 * math.pi / (3 * 500 ** (torch.arange(waves) / (waves - 1))))
    return torch.cat([angle.sin(), angle.cos()], 1) @ planes * norm / math.sqrt(waves)
