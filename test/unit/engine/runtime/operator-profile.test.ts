import assert from 'node:assert/strict';
import { readProfile } from '../../../../src/engine/runtime/operator-profile';

const node = (ts: number, dur: number, operator: string, provider: string) => ({
  cat: 'Node',
  name: `${operator}_${ts}_kernel_time`,
  ts,
  dur,
  args: { provider: `${provider}ExecutionProvider`, op_name: operator },
});
const run = (ts: number, dur: number) => ({ cat: 'Session', name: 'model_run', ts, dur });

const EVENTS = [
  { cat: 'Session', name: 'session_initialization', ts: 0, dur: 50 },
  node(110, 900_000, 'MatMul', 'WebGpu'),
  run(100, 1_000_000),
  node(2_000_010, 100, 'MatMul', 'WebGpu'),
  node(2_000_120, 300, 'MatMul', 'WebGpu'),
  node(2_000_430, 50, 'Range', 'CPU'),
  node(2_000_490, 500, 'Gather', 'CPU'),
  node(2_001_000, 7000, 'MemcpyToHost', 'WebGpu'),
  run(2_000_000, 10_000),
];

describe('a profile of operators', () => {
  it('is of the last run, the longest first', () => {
    assert.deepEqual(readProfile(JSON.stringify(EVENTS)), {
      onDevice: [{ operator: 'MatMul', nodes: 2, ms: 0.4 }],
      onCpu: [
        { operator: 'Gather', nodes: 1, ms: 0.5 },
        { operator: 'Range', nodes: 1, ms: 0.05 },
      ],
      copies: [{ operator: 'MemcpyToHost', nodes: 1, ms: 7 }],
    });
  });

  it('takes the device’s own clock where it has one', () => {
    const measured = [
      { cat: 'Api', name: 'node&MatMul&MatMulPacked', ts: 2_000_020, dur: 4000, args: {} },
      { cat: 'Api', name: '&MatMul&MatMulPacked', ts: 2_000_130, dur: 1000, args: {} },
      { cat: 'Api', name: '&MatMul&MatMulPacked', ts: 500, dur: 9000, args: {} },
    ];
    const { onDevice } = readProfile(JSON.stringify([...EVENTS, ...measured]));
    assert.deepEqual(onDevice, [{ operator: 'MatMul', nodes: 2, ms: 5 }]);
  });
});
