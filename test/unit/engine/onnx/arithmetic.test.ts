import assert from 'node:assert/strict';
import path from 'node:path';
import { arithmeticOf } from '../../../../src/engine/onnx/arithmetic';
import { readModel } from '../../../../src/engine/onnx/graph';
import { ModelFile } from '../../../../src/engine/onnx/model-file';

const GOLDEN = 'test/parity/golden/models';

describe('what a graph computes in', () => {
  for (const [file, arithmetic] of [
    [`${GOLDEN}/gpt2-torch-onnx-traced`, 'float32'],
    [`${GOLDEN}/gpt2-dynamic-int8`, 'integer'],
    [`${GOLDEN}/llama-4-bit-matmulnbits`, 'integer'],
    // Its weights are stored in 8 bits, and are float32 before anything is computed with them.
    ['models/headlight-small', 'float32'],
  ] as const) {
    it(`${path.basename(file)}: ${arithmetic}`, () => {
      const model = ModelFile.open(path.join(file, 'model.onnx'));
      try {
        assert.equal(arithmeticOf(readModel(model)), arithmetic);
      } finally {
        model.close();
      }
    });
  }
});
