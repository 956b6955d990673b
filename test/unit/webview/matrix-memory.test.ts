import assert from 'node:assert/strict';
import type { HeadMatrix } from '../../../src/protocol/trace';
import { MatrixMemory } from '../../../webview/matrix-memory';

const SIDE = 512;

function matrix(head: number): HeadMatrix {
  const range = { from: 0, to: SIDE };
  const shape = { queries: range, keys: range, queriesPerRow: 1, keysPerColumn: 1, rows: SIDE, columns: SIDE };
  return { layer: 0, head, ...shape, weights: new Float32Array(SIDE * SIDE) };
}

describe('the memory of matrices', () => {
  it('gives back what was answered to the same question about the same trace', () => {
    const memory = new MatrixMemory();
    const kept = matrix(3);
    memory.add(1, 'head 3', kept);
    assert.equal(memory.find(1, 'head 3'), kept);
    assert.equal(memory.find(1, 'head 4'), null);
    assert.equal(memory.find(2, 'head 3'), null);
  });

  it('forgets a trace when the next one comes', () => {
    const memory = new MatrixMemory();
    memory.add(1, 'head 3', matrix(3));
    memory.add(2, 'head 0', matrix(0));
    assert.equal(memory.has(1, 'head 3'), false);
    assert.equal(memory.has(2, 'head 0'), true);
  });

  it('keeps 16 MB, and drops what was wanted longest ago', () => {
    const memory = new MatrixMemory();
    for (let head = 0; head < 16; head++) {
      memory.add(1, `head ${head}`, matrix(head));
    }
    memory.find(1, 'head 0');
    memory.add(1, 'head 16', matrix(16));
    const kept = Array.from({ length: 17 }, (_, head) => head).filter((head) => memory.has(1, `head ${head}`));
    assert.deepEqual(kept, [0, ...Array.from({ length: 15 }, (_, at) => at + 2)]);
  });
});
