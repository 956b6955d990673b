"""The baseline: a 5-gram model with interpolated modified Kneser-Ney smoothing, by KenLM's lmplz and query.

    python ngram.py --data DATA --checkpoint RUN/final.pt --kenlm KENLM/build/bin --out NGRAM.json

It is trained on the blocks of tokens that the model was trained on, and scores the same held-out tokens. Its words are
token ids; its vocabulary is padded to all 50257 tokens, so that one that never occurred has its own share of <unk>.
"""
import argparse, json, math, os, subprocess
import numpy as np
import torch
from batches import Data
from evaluate import book, held_out
from model import EOT


def documents(tokens):
    at = np.flatnonzero(tokens == EOT)
    for s, e in zip(np.concatenate([[-1], at]), np.concatenate([at, [len(tokens)]])):
        if e - s > 1:
            yield tokens[s + 1:e]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--data', required=True); ap.add_argument('--checkpoint', default=''); ap.add_argument('--kenlm', required=True)
    ap.add_argument('--out', required=True); ap.add_argument('--work', default='')
    a = ap.parse_args()
    work = a.work or a.data
    if a.checkpoint:      # the blocks that were seen, neighbours joined again
        ck = torch.load(a.checkpoint, map_location='cpu', weights_only=False)
        data = Data(a.data, ck['seed'], ck['shape']['ctx'])
        data.block(0)
        b = np.sort(data.order[:ck['blocks']])
        runs = np.split(b, np.flatnonzero(np.diff(b) > 1) + 1)
        spans = [data.tokens[r[0] * data.ctx:(r[-1] + 1) * data.ctx] for r in runs]
    else:
        spans = [np.fromfile(os.path.join(a.data, 'train.bin'), dtype=np.uint16)]
    count = 0
    with open(os.path.join(work, 'ngram-train.txt'), 'w') as f:
        for span in spans:
            for d in documents(span):
                count += len(d)
                f.write(' '.join(map(str, d)) + '\n')
    arpa, lm = os.path.join(work, 'ngram.arpa'), os.path.join(work, 'ngram.bin')
    subprocess.run([os.path.join(a.kenlm, 'lmplz'), '-o', '5', '-S', '3G', '-T', work, '--vocab_pad', '50260',
                    '--text', os.path.join(work, 'ngram-train.txt'), '--arpa', arpa], check=True)
    subprocess.run([os.path.join(a.kenlm, 'build_binary'), 'trie', arpa, lm], check=True)
    out = dict(trainedOn=count)
    scored = held_out(a.data)
    for kind, docs in (*scored.items(), ('mobyDick', book(scored))):
        text = '\n'.join(' '.join(map(str, d)) for _, _, d in docs) + '\n'
        r = subprocess.run([os.path.join(a.kenlm, 'query'), '-v', 'word', lm], input=text, capture_output=True, text=True, check=True).stdout
        bits = tokens = 0
        for line in r.split('\n'):
            for e in line.split('\t'):
                word, _, rest = e.partition('=')
                if word.isdigit():
                    bits -= float(rest.split()[2]) / math.log10(2); tokens += 1
        assert tokens == sum(len(d) for _, _, d in docs)
        out[kind] = dict(tokens=tokens, bitsPerToken=round(bits / tokens, 4))
    json.dump(out, open(a.out, 'w'), indent=2)
    print(out)


if __name__ == '__main__':
    main()
