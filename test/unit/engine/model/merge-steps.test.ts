import assert from 'node:assert/strict';
import { BytePairMerger } from '../../../../src/engine/model/byte-pair-merger';
import { type Encoding, openEncoding } from '../../../../src/engine/model/encoding';
import { mergeSteps } from '../../../../src/engine/model/merge-steps';

describe('merging step by step', () => {
  let encoding: Encoding;
  before(async () => {
    encoding = await openEncoding('r50k_base');
  });

  it('makes "animal" out of its letters', () => {
    const piece = Buffer.from('animal');
    const steps = mergeSteps(piece, encoding.vocabulary).map(({ starts }) =>
      starts.map((start, part) => piece.toString('utf8', start, starts[part + 1])).join('·'),
    );
    assert.equal(steps[0], 'a·n·i·m·a·l');
    assert.equal(steps.at(-1), 'animal');
    for (const [at, step] of steps.entries()) {
      assert.equal(step.split('·').length, at === 0 ? 6 : steps[at - 1].split('·').length - 1, step);
    }
  });

  it('merges the pair of the lowest rank at each step, and says which', () => {
    const piece = Buffer.from(' lighthouse');
    const steps = mergeSteps(piece, encoding.vocabulary);
    for (const { starts, merged, rank } of steps.slice(1)) {
      const bytes = piece.subarray(starts[merged!], starts[merged! + 1] ?? piece.length);
      assert.equal(encoding.vocabulary.find(bytes, 0, bytes.length), rank);
    }
    // A merge may make a pair of a lower rank possible, but never was one passed over.
    const open = (starts: readonly number[]) =>
      starts
        .slice(0, -1)
        .map((start, part) => encoding.vocabulary.find(piece, start, starts[part + 2] ?? piece.length))
        .filter((found) => found >= 0);
    for (const [at, { starts }] of steps.entries()) {
      assert.equal(Math.min(...open(starts)), at + 1 < steps.length ? steps[at + 1].rank : Number.POSITIVE_INFINITY);
    }
  });

  it('ends where the tokenizer ends', () => {
    const merger = new BytePairMerger(encoding.vocabulary);
    for (const word of [
      'strawberry',
      ' unbelievable',
      'antidisestablishmentarianism',
      '灯塔照亮',
      '👋🏽',
      'aaaaaaaaaaa',
      'x',
    ]) {
      const piece = Buffer.from(word);
      merger.merge(piece, piece.length);
      const expected: number[] = [];
      for (let at = 0; at < piece.length; at = merger.startAfter(at)) {
        expected.push(at);
      }
      assert.deepEqual(mergeSteps(piece, encoding.vocabulary).at(-1)!.starts, expected, word);
    }
  });
});
