import type { DeviceCheck } from '../../../../src/engine/devices/device-chooser';
import type { DeviceProof } from '../../../../src/protocol/device';

/** What a check found: 90 ms in operators, 9 of them on the processor and 1 in copies. */
export const PROOF: DeviceProof = {
  arithmetic: 'float32',
  tolerance: 1e-4,
  differences: { logits: 1.3e-6, attention: 3.34e-6, step: 0 },
  tokens: 32,
  times: { device: { prompt: 10, step: 30 }, cpu: { prompt: 40, step: 2 } },
  operators: {
    onDevice: [
      { operator: 'MatMul', nodes: 37, ms: 70 },
      { operator: 'Add', nodes: 2, ms: 10 },
    ],
    onCpu: [
      { operator: 'Cos', nodes: 1, ms: 6 },
      { operator: 'Shape', nodes: 1, ms: 3 },
    ],
    copies: [{ operator: 'MemcpyToHost', nodes: 4, ms: 1 }],
  },
};

export const CHECK: DeviceCheck = {
  device: 'webgpu',
  problem: null,
  proof: PROOF,
  adapters: ['SwiftShader Device (Subzero)'],
  drivers: ['i915', 'Vulkan libvk_swiftshader.so'],
  runtimeVersion: '1.30.0',
};
