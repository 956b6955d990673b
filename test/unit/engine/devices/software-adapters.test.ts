import assert from 'node:assert/strict';
import { areSoftware } from '../../../../src/engine/devices/software-adapters';

describe('software adapters', () => {
  it('are known by their names', () => {
    for (const adapter of [
      'SwiftShader Device (Subzero)',
      'llvmpipe (LLVM 19.1.7, 256 bits)',
      'Microsoft Basic Render Driver',
      'Microsoft Basic Display Adapter',
    ]) {
      assert.equal(areSoftware([adapter]), true, adapter);
    }
  });

  it('do not hide a GPU beside them, and nothing is said of no adapters', () => {
    assert.equal(areSoftware(['llvmpipe (LLVM 19.1.7, 256 bits)', 'NVIDIA GeForce RTX 4070']), false);
    assert.equal(areSoftware(['PCI 8086:5916']), false);
    assert.equal(areSoftware([]), false);
  });
});
