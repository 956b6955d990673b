import assert from 'node:assert/strict';
import { npyOf } from '../../../../webview/export/npy';
import { sampleAbout } from './about';

describe('exported tensors', () => {
  it('are NumPy files, with where they come from behind the numbers', () => {
    const bytes = Buffer.from(npyOf({ shape: [2, 1], values: Float32Array.from([1.5, -2]) }, sampleAbout));
    assert.equal(bytes.toString('latin1', 0, 8), '\x93NUMPY\x01\x00');
    const data = 10 + bytes.readUInt16LE(8);
    assert.equal(data % 64, 0);
    assert.match(
      bytes.toString('latin1', 10, data),
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 1\), \} *\n$/,
    );
    assert.deepEqual([bytes.readFloatLE(data), bytes.readFloatLE(data + 4)], [1.5, -2]);
    assert.deepEqual(JSON.parse(bytes.toString('utf8', data + 8)), sampleAbout);
  });
});
