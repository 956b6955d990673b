import assert from 'node:assert/strict';
import { Generator } from '../../../../src/engine/sampling/generator';
import { PrefixTree } from '../../../../src/engine/suggest/prefix-tree';

const STATE_BYTES = 1000;
const states = (count: number, fill = 0) => Array.from({ length: count }, () => new Uint8Array(STATE_BYTES).fill(fill));

describe('PrefixTree', () => {
  it('finds what texts begin with in common, once', () => {
    const tree = new PrefixTree(1e6);
    tree.add([1, 2, 3, 4], 0, states(4, 1));
    const bytes = tree.byteLength;
    tree.add([1, 2, 9], 2, states(1, 2));
    assert.ok(tree.byteLength - bytes < 1.5 * STATE_BYTES);
    assert.deepEqual(
      tree.find([1, 2, 9, 5]).map(({ id, state }) => [id, state[0]]),
      [
        [1, 1],
        [2, 1],
        [9, 2],
      ],
    );
    assert.deepEqual(tree.find([2]), []);
    assert.equal(tree.depthFrom([0, 0, 1, 2, 3, 7], 2, null), 3);
    assert.equal(tree.depthFrom([0, 0], 0, null), 0);
    assert.equal(tree.depthFrom([0, 2, 3, 7], 1, 1), 2);
    assert.equal(tree.depthFrom([0, 2, 3, 7], 1, 8), 0);
  });

  it('lets go of what was not used for longest, from its end', () => {
    const tree = new PrefixTree(8 * (STATE_BYTES + 500));
    tree.add([1, 2, 3, 4], 0, states(4));
    tree.add([1, 5, 6], 1, states(2));
    tree.find([1, 2, 3]);
    tree.add([7, 8, 9], 0, states(3));
    // First the 4, used before all others, then the 6.
    assert.equal(tree.find([1, 2, 3, 4]).length, 3);
    assert.equal(tree.find([1, 5, 6]).length, 2);
    assert.equal(tree.find([7, 8, 9]).length, 3);
  });

  it('remembers the newest predictions', () => {
    const tree = new PrefixTree(1e7);
    const ids = Array.from({ length: 40 }, (_, index) => index);
    tree.add(ids, 0, states(40));
    for (let length = 1; length <= 40; length++) {
      tree.rememberLogits(ids.slice(0, length), Float32Array.of(length));
    }
    const remembered = tree.find(ids).filter(({ logits }) => logits !== null);
    assert.deepEqual(
      remembered.map(({ logits }) => logits![0]),
      ids.slice(24).map((id) => id + 1),
    );
  });

  it('stays within its limit, even where one text is larger than that', () => {
    const limit = 50 * STATE_BYTES;
    const tree = new PrefixTree(limit);
    const ids = Array.from({ length: 200 }, (_, index) => index);
    for (let at = 0; at < 200; at += 20) {
      tree.add(ids, at, states(20));
      assert.ok(tree.byteLength <= limit);
    }
    tree.resize(0);
    assert.equal(tree.byteLength, 0);
    tree.resize(limit);
    tree.add(ids, 0, states(3));
    assert.equal(tree.find(ids).length, 3);
  });

  it('stays within its limit over 10,000 keystrokes', () => {
    const limit = 300 * STATE_BYTES;
    const tree = new PrefixTree(limit);
    const generator = new Generator(5);
    let text: number[] = [];
    for (let key = 0; key < 10_000; key++) {
      const u = generator.next();
      if (u < 0.15) {
        text = text.slice(0, Math.floor(generator.next() * text.length));
      } else {
        text = [...text, Math.floor(generator.next() * 30)].slice(0, 120);
      }
      const known = tree.find(text).length;
      tree.add(text, known, states(text.length - known));
      if (text.length > 0) {
        tree.rememberLogits(text, new Float32Array(100));
      }
      assert.ok(tree.byteLength <= limit, `${tree.byteLength} bytes after ${key} keys`);
    }
    tree.resize(0);
    assert.equal(tree.byteLength, 0);
  });
});
