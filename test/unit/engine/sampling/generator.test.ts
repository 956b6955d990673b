import assert from 'node:assert/strict';
import { Generator } from '../../../../src/engine/sampling/generator';

describe('generator', () => {
  it('is SplitMix64, by the published sequence of seed 1234567', () => {
    const generator = new Generator(1234567);
    assert.deepEqual(
      Array.from({ length: 5 }, () => generator.nextBits()),
      [6457827717110365317n, 3203168211198807973n, 9817491932198370423n, 4593380528125082431n, 16408922859458223821n],
    );
  });

  it('fills [0, 1) evenly from one seed and from many', () => {
    const generator = new Generator(1);
    const numbers = Array.from({ length: 10_000 }, () => generator.next());
    const firsts = Array.from({ length: 10_000 }, (_, seed) => new Generator(seed).next());
    for (const values of [numbers, firsts]) {
      const tenths = new Array<number>(10).fill(0);
      for (const value of values) {
        tenths[Math.floor(value * 10)]++;
      }
      assert.ok(
        tenths.every((count) => count > 850 && count < 1150),
        tenths.join(' '),
      );
    }
  });

  it('begins where numbers are passed over', () => {
    const generator = new Generator(1234567);
    const numbers = Array.from({ length: 4 }, () => generator.nextBits());
    assert.equal(new Generator(1234567, 3).nextBits(), numbers[3]);
  });

  it('takes negative seeds', () => {
    assert.notEqual(new Generator(-1).next(), new Generator(1).next());
  });
});
