import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cudaEnvironment } from '../../../../src/engine/devices/cuda-libraries';

describe('CUDA libraries', () => {
  let folder: string;
  let runtime: string;
  let given: string;
  let links: string;

  before(function () {
    if (process.platform !== 'linux') {
      console.log('not run: CUDA is for Linux only');
      this.skip();
    }
  });
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-cuda-'));
    [runtime, given, links] = ['runtime', 'given', 'links'].map((name) => path.join(folder, name));
    mkdirSync(runtime);
    mkdirSync(given);
    writeFileSync(path.join(runtime, 'libonnxruntime.so.1'), 'runtime');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('are not there', () => {
    assert.equal(cudaEnvironment(runtime, null, links), null);
    assert.equal(cudaEnvironment(runtime, given, links), null);
    assert.equal(cudaEnvironment(runtime, path.join(folder, 'absent'), links), null);
  });

  it('are found where the installer puts them, and need nothing there', () => {
    writeFileSync(path.join(runtime, 'libonnxruntime_providers_cuda.so'), '');
    assert.deepEqual(cudaEnvironment(runtime, null, links), {});
  });

  it('are found in a folder, and linked beside the runtime', () => {
    for (const name of ['libonnxruntime_providers_cuda.so', 'libonnxruntime_providers_shared.so', 'libcudnn.so.9']) {
      writeFileSync(path.join(given, name), name);
    }
    const { LD_LIBRARY_PATH } = cudaEnvironment(runtime, given, links)!;
    assert.deepEqual(LD_LIBRARY_PATH?.split(':').slice(0, 2), [links, given]);
    const own = process.env.LD_LIBRARY_PATH;
    try {
      process.env.LD_LIBRARY_PATH = `/own::${LD_LIBRARY_PATH}:`;
      const again = cudaEnvironment(runtime, given, links)!.LD_LIBRARY_PATH;
      assert.deepEqual(again?.split(':').slice(0, 3), [links, given, '/own'], 'each once, and no empty part');
      process.env.LD_LIBRARY_PATH = again;
      assert.equal(
        cudaEnvironment(runtime, given, links)!.LD_LIBRARY_PATH,
        again,
        'a process that has it needs no other',
      );
    } finally {
      if (own === undefined) {
        delete process.env.LD_LIBRARY_PATH;
      } else {
        process.env.LD_LIBRARY_PATH = own;
      }
    }
    assert.deepEqual(readdirSync(links).sort(), [
      'libonnxruntime.so.1',
      'libonnxruntime_providers_cuda.so',
      'libonnxruntime_providers_shared.so',
    ]);
    assert.equal(readlinkSync(path.join(links, 'libonnxruntime.so.1')), path.join(runtime, 'libonnxruntime.so.1'));
    // Another folder takes their place, and what it does not have is gone.
    rmSync(path.join(given, 'libonnxruntime_providers_shared.so'));
    cudaEnvironment(runtime, given, links);
    assert.deepEqual(readdirSync(links).sort(), ['libonnxruntime.so.1', 'libonnxruntime_providers_cuda.so']);
  });
});
