import assert from 'node:assert/strict';
import {
  formatBits,
  formatBytes,
  formatPercent,
  formatQuantity,
  formatShare,
  formatWeight,
} from '../../../../webview/render/number-format';

describe('number format', () => {
  it('writes percentages with the digits that tell them apart', () => {
    const cases: [number, string][] = [
      [0.3621, '36.2'],
      [0.0754, '7.54'],
      [0.004, '0.40'],
      [0.00043, '0.043'],
      [0.0000123, '0.0012'],
      [1.234e-9, '1.2·10⁻⁷'],
    ];
    for (const [probability, text] of cases) {
      assert.equal(formatPercent(probability), `${text}\u202f%`);
    }
  });

  it('never rounds to certain or impossible', () => {
    assert.equal(formatPercent(1), '100\u202f%');
    assert.equal(formatPercent(0), '0\u202f%');
    assert.equal(formatPercent(0.9996), '99.96\u202f%');
    assert.equal(formatPercent(0.99999), '99.999\u202f%');
    assert.equal(formatPercent(1 - 1e-12), '>99.9999\u202f%');
    assert.equal(formatPercent(5e-324).startsWith('0'), false);
  });

  it('changes its number of digits without a gap or a jump', () => {
    assert.equal(formatPercent(0.09994), '9.99\u202f%');
    assert.equal(formatPercent(0.09996), '10.0\u202f%');
    assert.equal(formatPercent(0.00099), '0.099\u202f%');
    assert.equal(formatPercent(0.000996), '0.10\u202f%');
  });

  it('tells a small weight from none and a large one from all', () => {
    assert.deepEqual([0, 0.0001, 0.9391, 0.99999, 1].map(formatWeight), [
      '0.000',
      '<0.001',
      '0.939',
      '>0.999',
      '1.000',
    ]);
  });

  it('leaves undefined statistics open', () => {
    assert.equal(formatShare(Number.NaN), '–');
    assert.equal(formatShare(0.754), '0.75');
  });

  it('writes bits, bytes and quantities', () => {
    assert.deepEqual([0, 0.001, 0.02, 4.96].map(formatBits), ['0.0', '<0.01', '0.02', '5.0']);
    assert.equal(formatBytes([0x20, 0xf0, 0x9]), '20 F0 09');
    assert.equal(formatQuantity(1, 'token'), '1 token');
    assert.equal(formatQuantity(1830, 'token'), '1,830 tokens');
  });
});
