"""Writes the card, models/README.md, and the picture of the training curve, from what was measured.

    python card.py --model FOLDER --data DATA --log RUN/log.jsonl --completions COMPLETIONS.json --out models
"""
import argparse, json, os, re
from schedule import Schedule

HERE = os.path.dirname(os.path.abspath(__file__))


def curve(log, path):
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    rows = [json.loads(l) for l in open(log)]
    fig, (a, b) = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=[3, 2])
    t = [r for r in rows if 'bits' in r]
    a.plot([r['tokens'] / 1e6 for r in t], [r['bits'] for r in t], color='0.75', lw=1, label='training')
    h = [r for r in rows if 'held_out' in r]
    for kind, colour in (('code', '#0b6bcb'), ('prose', '#c2410c')):
        a.plot([r['tokens'] / 1e6 for r in h], [r['held_out'][kind] for r in h], color=colour, marker='.', label=f'held-out {kind}')
    a.set_ylim(3, 9.5); a.set_xlabel('tokens seen, millions'); a.set_ylabel('bits per token'); a.grid(alpha=.3); a.legend(frameon=False)
    h = [r for r in h if 'previous' in r]
    b.plot([r['tokens'] / 1e6 for r in h], [r['previous'] for r in h], color='#0f766e', marker='.', label='best previous-token head')
    b.plot([r['tokens'] / 1e6 for r in h], [r['induction'] for r in h], color='#7c3aed', marker='.', label='best induction head')
    b.set_ylim(0, 1); b.set_xlabel('tokens seen, millions'); b.set_ylabel('score on repeated random tokens'); b.grid(alpha=.3); b.legend(frameon=False, fontsize=8)
    fig.tight_layout(); fig.savefig(path, dpi=80)


def fence(s):
    ticks = max([3, *(len(m) + 1 for m in re.findall('`{3,}', s))])
    return f"{'`' * ticks}text\n{s}\n{'`' * ticks}"


def phases(plan):
    """A table of the phases of the run: what changes, and at which steps."""
    edges = sorted({0, plan.short, plan.copying, plan.steps - plan.long, plan.steps - plan.decay, plan.steps - plan.full})
    rate = lambda s: f'{plan.rate(s) if s > plan.warmup else 1:.2f}'.rstrip('0').rstrip('.')
    rows = []
    for start, end in zip(edges, [*edges[1:], plan.steps]):
        made, text = plan.rows(start)
        falls = end > plan.steps - plan.decay
        rows.append(f"| {start:,}–{end:,} | {plan.length(start)} | {100 * made / (made + text):.0f} % | "
                    f"{rate(start)}{f', falling to {rate(end)}' if falls else ''} | {'all' if plan.whole_vocabulary(start) else 'a part'} |")
    return '\n'.join(rows)


def main():
    ap = argparse.ArgumentParser()
    for n in ('model', 'data', 'log', 'completions', 'out'):
        ap.add_argument(f'--{n}', required=True)
    ap.add_argument('--ngram-all', required=True, help='NGRAM.json of the 5-gram model of all the training tokens')
    a = ap.parse_args()
    f = json.load(open(os.path.join(a.model, 'figures.json')))
    m = json.load(open(os.path.join(a.data, 'manifest.json')))
    m['packages'] = [p for p in m['packages'] if p['code_tokens'] + p['prose_tokens']]
    json.dump(m, open(os.path.join(HERE, 'manifest.json'), 'w'), indent=1); open(os.path.join(HERE, 'manifest.json'), 'a').write('\n')
    curve(a.log, os.path.join(a.out, 'training-curve.png'))
    s, heads, ho, ng = f['shape'], f['heads'], f['heldOut'], f['fiveGram']
    whole = json.load(open(a.ngram_all))
    records = [json.loads(l) for l in open(a.log)]
    seconds = sum(20 * records[0]['args']['batch'] / r['tokens_a_second'] for r in records if 'bits' in r)
    plan = Schedule(f['trainingSteps'], records[0]['args']['batch'])
    less = lambda mine, theirs: f"{100 * (1 - mine['bitsPerToken'] / theirs['bitsPerToken']):.1f}"
    yes = lambda ok: 'reached' if ok else '**not reached**'
    better = lambda k, want: (f"5-gram {ng[k]['bitsPerToken']:.3f}, {f['betterBy'][k]:.1f} % better", yes(f['betterBy'][k] >= want))
    folder = sum(os.path.getsize(os.path.join(a.model, n)) for n in os.listdir(a.model))
    worst = lambda g: max(g.values())
    steps = f['bench']['stepMs']
    rows = [
        ('Bits per token, code', f"{ho['code']['bitsPerToken']:.4f}", '20 % better than the 5-gram', ': '.join(better('code', 20))),
        ('Bits per token, prose', f"{ho['prose']['bitsPerToken']:.4f}", '10 % better than the 5-gram', ': '.join(better('prose', 10))),
        ('Top-1 / top-5, code', f"{ho['code']['top1']:.1f} % / {ho['code']['top5']:.1f} %", '', ''),
        ('Top-1 / top-5, prose', f"{ho['prose']['top1']:.1f} % / {ho['prose']['top5']:.1f} %", '', ''),
        ('Best previous-token head', f"{heads['previousToken'][0]['score']:.4f} (head {heads['previousToken'][0]['head']}; control {heads['previousToken'][0]['control']:.4f})", 'above 0.7', yes(heads['previousToken'][0]['score'] > .7)),
        ('Best induction head', f"{heads['induction'][0]['score']:.4f} (head {heads['induction'][0]['head']}; control {heads['induction'][0]['control']:.4f})", 'above 0.5, control below 0.01', yes(heads['induction'][0]['score'] > .5 and heads['induction'][0]['control'] < .01)),
        ('PyTorch against ONNX, float graph', f"logits {max(f['floatGraph']['logits'], f['floatGraph']['cachedLogits']):.1e}, attention {f['floatGraph']['attention']:.1e}", 'within 1e-4', yes(worst(f['floatGraph']) < 1e-4)),
        ('Cost of int8, bits per token', f"code {f['quantisationCost']['code']:+.4f}, prose {f['quantisationCost']['prose']:+.4f}", 'to be said', ''),
        ('Size of the folder', f'{folder / 1e6:.1f} MB', 'at most 25 MB', yes(folder <= 25e6)),
        ('Load, two CPU cores', f"{f['bench']['loadMs']} ms", 'under 500 ms', yes(f['bench']['loadMs'] < 500)),
        ('One decoding step, two CPU cores', ', '.join(f'{ms} ms at context {c}' for c, ms in steps.items()), 'under 10 ms', yes(max(steps.values()) < 10)),
    ]
    figures = '\n'.join(f'| {" | ".join(r)} |' for r in rows)
    head_rows = '\n'.join(f"| {label} | " + ', '.join(f"{h['head']}: {h['score']:.3f} ({h['control']:.3f})" for h in heads[key][:5]) + ' |'
                          for key, label in (('previousToken', 'previous token'), ('induction', 'induction'), ('duplicateToken', 'duplicate token')))
    short = lambda n: f'{n / 1e3:,.0f}' if n else ''
    data = '\n'.join(f"| {p['name']} {p['version']} | {p['from']} | {p['licence']} | {short(p['code_tokens'])} | {short(p['prose_tokens'])} | {p['split']} |"
                     for p in sorted(m['packages'], key=lambda p: (p['split'] != 'held-out', -(p['code_tokens'] + p['prose_tokens']))))
    comp = json.load(open(a.completions))
    completions = '\n\n'.join(f"**{i + 1}. {c['package']}**, `{c['file']}`\n\n{fence(c['prompt'] + '⟦' + c['completion'] + '⟧')}" for i, c in enumerate(comp))
    t = m['tokens']
    excerpts = '\n'.join(f"| `held-out/{e['file']}` | {e['tokens']} | {e['bitsPerToken']:.4f} |" for e in f['excerpts'])
    text = open(os.path.join(HERE, 'card.template.md'), encoding='utf8').read()
    fill = dict(figures=figures, heads=head_rows, data=data, excerpts=excerpts, sha256=f['sha256'],
                parameters=f"{f['parameters'] / 1e6:.1f}", seen=f"{f['trainingTokens'] / 1e6:.1f}", steps=f"{f['trainingSteps']:,}",
                train_code=f"{t['train']['code'] / 1e6:.1f}", train_prose=f"{t['train']['prose'] / 1e6:.1f}", train_all=f"{(t['train']['code'] + t['train']['prose']) / 1e6:.1f}",
                train_packages=str(sum(p['split'] == 'train' for p in m['packages'])), held_packages=str(sum(p['split'] != 'train' for p in m['packages'])),
                held_code=f"{ho['code']['tokens']:,}", held_prose=f"{ho['prose']['tokens']:,}", ngram_tokens=f"{ng['trainedOn'] / 1e6:.1f}",
                on_text=f"{heads['previousTokenOnText']:.3f}", sink=f"{heads['sink']:.3f}", layers=str(s['layers']), n_heads=str(s['heads']), width=str(s['d']), ctx=str(s['ctx']),
                minutes=f'{seconds / 60:.0f}', seed=str(f['seed']), steps_plain=str(f['trainingSteps']), batch=f'{plan.batch:,}',
                moby=f"{f['mobyDick']['bitsPerToken']:.2f}", moby_ngram=f"{ng['mobyDick']['bitsPerToken']:.2f}", moby_better=less(f['mobyDick'], ng['mobyDick']),
                loads='{} to {}'.format(*f['bench']['loadRange']), step_times=' and '.join('{} to {}'.format(*r) for r in f['bench']['stepRange'].values()),
                whole_tokens=f"{whole['trainedOn'] / 1e6:.1f}", **{f'whole_{k}': f"{whole[k]['bitsPerToken']:.3f}" for k in ho},
                **{f'whole_{k}_better': less(ho[k], whole[k]) for k in ho}, phases=phases(plan))
    for k, x in fill.items():
        text = text.replace('{{' + k + '}}', x)
    assert set(re.findall(r'\{\{(\w+)', text)) == {'completions'}, re.findall(r'\{\{\w+', text)
    text = text.replace('{{completions}}', completions)
    open(os.path.join(a.out, 'README.md'), 'w', encoding='utf8').write(text)


if __name__ == '__main__':
    main()
