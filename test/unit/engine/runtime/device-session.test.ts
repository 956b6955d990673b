import assert from 'node:assert/strict';
import { type OnnxValue, Tensor } from 'onnxruntime-node';
import { DeviceSession } from '../../../../src/engine/runtime/device-session';

describe('a session on a device', () => {
  const NAME = '/m/model.onnx';
  const FEEDS = { x: new Tensor('float32', [1], [1]) };

  function session(run: () => Promise<Record<string, OnnxValue>>) {
    return { run, endProfiling: () => {}, release: async () => {} };
  }

  it('tells of each run before it begins and after it has ended, also by a failure', async () => {
    const told: (number | string | null)[] = [];
    const listen = (tokens: number | null) => told.push(tokens);
    const good = session(async () => {
      told.push('running');
      return FEEDS;
    });
    await DeviceSession.of(good, 'webgpu', NAME, listen).run(FEEDS, ['x'], 7);
    assert.deepEqual(told.splice(0), [7, 'running', null]);
    const bad = session(async () => Promise.reject(new Error('device lost')));
    await assert.rejects(DeviceSession.of(bad, 'webgpu', NAME, listen).run(FEEDS, ['x'], 1), { code: 'device-lost' });
    assert.deepEqual(told.splice(0), [1, null]);
  });

  it('does not tell of runs on the processor', async () => {
    const told: (number | null)[] = [];
    await DeviceSession.of(
      session(async () => FEEDS),
      'cpu',
      NAME,
      (tokens) => told.push(tokens),
    ).run(FEEDS, ['x'], 7);
    assert.deepEqual(told, []);
  });

  it('asks for each output once', async () => {
    let asked: unknown;
    const counting = {
      ...session(async () => FEEDS),
      run: async (_feeds: unknown, fetch: unknown) => {
        asked = fetch;
        return FEEDS;
      },
    };
    await DeviceSession.of(counting, 'cpu', NAME).run(FEEDS, ['a', 'b', 'a'], 1);
    assert.deepEqual(asked, ['a', 'b']);
  });

  it('hands out no tensor that lies on the device: asking for its numbers would end the process', async () => {
    let disposed = 0;
    const onDevice = Tensor.fromGpuBuffer({} as never, {
      ...{ dataType: 'float32', dims: [1] },
      download: () => assert.fail('its numbers were asked for'),
      dispose: () => disposed++,
    });
    assert.equal(onDevice.location, 'gpu-buffer');
    const leaving = DeviceSession.of(
      session(async () => ({ here: FEEDS.x, there: onDevice })),
      'webgpu',
      NAME,
    );
    await assert.rejects(leaving.run(FEEDS, ['here', 'there'], 1), {
      code: 'internal',
      message: 'WebGPU kept results of /m/model.onnx (there in its gpu-buffer), where their numbers cannot be read.',
    });
    assert.equal(disposed, 1);
  });
});
