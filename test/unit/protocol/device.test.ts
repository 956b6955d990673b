import assert from 'node:assert/strict';
import { describeDevice, describeDeviceBriefly } from '../../../src/protocol/device';

describe('where a model runs, in words', () => {
  const on = (reason: string | null) => ({ device: 'cpu', reason }) as const;

  it('is a name where nothing needs a reason', () => {
    for (const describe of [describeDevice, describeDeviceBriefly]) {
      assert.equal(describe({ device: 'webgpu', reason: null }), 'WebGPU');
    }
  });

  it('says why it is not another', () => {
    const reason = 'CUDA cannot be started (libcudnn.so.9: cannot open); no WebGPU adapter';
    assert.equal(describeDevice(on(reason)), `CPU: ${reason}`);
  });

  it('says it briefly, without figures and what drivers say', () => {
    for (const [reason, brief] of [
      ['no WebGPU adapter', 'no WebGPU adapter'],
      ['CUDA cannot be started (libcudnn.so.9: cannot open); no WebGPU adapter', 'CUDA cannot be started'],
      ['no WebGPU adapter; DirectML did not answer within 20 s', 'no WebGPU adapter'],
      ['only a software WebGPU adapter (SwiftShader Device (Subzero))', 'only a software WebGPU adapter'],
      ['WebGPU is slower here: 2.5 × the processor’s time for this model', 'WebGPU is slower here'],
      ['WebGPU gives wrong numbers: logits differ by 1.0e-2, 0.0001 is allowed', 'WebGPU gives wrong numbers'],
      ['WebGPU did not answer within 1.5 s', 'WebGPU did not answer within 1.5 s'],
    ]) {
      assert.equal(describeDeviceBriefly(on(reason)), `CPU: ${brief}`);
    }
  });
});
