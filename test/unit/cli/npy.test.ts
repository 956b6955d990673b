import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeNpy } from '../../../src/cli/npy';

describe('npy', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'headlight-npy-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('has the bytes that numpy.save writes', async () => {
    const file = path.join(folder, 'a.npy');
    await writeNpy(file, [2, 3], [Float32Array.of(0, 1, 2), Float32Array.of(9, 3, 4, 5, 9).subarray(1, 4)]);
    const bytes = await readFile(file);
    const description = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    assert.equal(bytes.toString('latin1', 0, 128), `\x93NUMPY\x01\x00\x76\x00${description.padEnd(117)}\n`);
    assert.deepEqual(
      Array.from({ length: 6 }, (_, i) => bytes.readFloatLE(128 + 4 * i)),
      [0, 1, 2, 3, 4, 5],
    );
    assert.equal(bytes.length, 128 + 24);
  });

  it('writes a shape of one dimension as the tuple that it is', async () => {
    const file = path.join(folder, 'b.npy');
    await writeNpy(file, [4], [new Float32Array(4)]);
    assert.match((await readFile(file)).toString('latin1', 0, 128), /'shape': \(4,\), /);
  });

  it('says behind the numbers what they are of', async () => {
    const file = path.join(folder, 'd.npy');
    await writeNpy(file, [1], [Float32Array.of(7)], { text: '灯塔\n' });
    const bytes = await readFile(file);
    assert.equal(bytes.readFloatLE(128), 7);
    assert.equal(bytes.toString('latin1', 132), '\n{"text":"\\u706f\\u5854\\n"}\n');
  });

  it('fails where the numbers are not as many as the shape says', async () => {
    await assert.rejects(writeNpy(path.join(folder, 'c.npy'), [3], [new Float32Array(2)]), /lacks 1/);
  });
});
