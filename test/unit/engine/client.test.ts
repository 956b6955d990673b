import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CancellationTokenSource, RequestType } from 'vscode-jsonrpc/node';
import { EngineClient } from '../../../src/engine/client';
import type { HeadlightError } from '../../../src/protocol/errors';

const Echo = new RequestType<string, string, unknown>('echo');

/** Speaks just enough of the wire format to fail in the ways that a real engine can. */
const ENGINES = {
  good: `
    process.on('message', (message) => {
      if (message.method === 'echo') process.send({ jsonrpc: '2.0', id: message.id, result: message.params + '!' });
    });`,
  refusing: `
    process.on('message', ({ id }) => {
      process.send({ jsonrpc: '2.0', id, error: { code: 1, message: 'No such model.', data: { failure: 'model-missing' } } });
    });`,
  silent: `process.on('message', () => {});`,
  deadOnArrival: `throw new Error('the binary is for another platform');`,
  dyingInMidRun: `process.on('message', () => process.kill(process.pid, 'SIGSEGV'));`,
};

describe('the near end of the engine process', () => {
  let folder: string;
  let client: EngineClient | undefined;
  const stops: HeadlightError[] = [];

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'headlight-client-'));
    for (const [name, code] of Object.entries(ENGINES)) {
      await writeFile(path.join(folder, `${name}.mjs`), code);
    }
  });
  after(() => rm(folder, { recursive: true }));
  afterEach(() => {
    client?.stop();
    stops.length = 0;
  });

  function clientOf(engine: keyof typeof ENGINES): EngineClient {
    client = new EngineClient({
      entryPoint: path.join(folder, `${engine}.mjs`),
      log: () => {},
      onStopped: (error) => stops.push(error),
    });
    return client;
  }

  it('starts the process with the first request only', async () => {
    const good = clientOf('good');
    assert.equal(good.pid, undefined);
    assert.equal(await good.request(Echo, 'hello'), 'hello!');
    assert.notEqual(good.pid, undefined);
  });

  it('gives back the engine’s own failure', async () => {
    await assert.rejects(clientOf('refusing').request(Echo, ''), { code: 'model-missing', message: 'No such model.' });
  });

  it('names the reason where the process cannot even start', async () => {
    const rejected = assert.rejects(clientOf('deadOnArrival').request(Echo, ''), (error: HeadlightError) => {
      assert.equal(error.code, 'engine-stopped');
      assert.match(error.message, /another platform/);
      return true;
    });
    await rejected;
    assert.equal(stops.length, 1);
  });

  it('fails what is under way when the process dies, once, and starts another for the next request', async () => {
    const dying = clientOf('dyingInMidRun');
    const results = await Promise.allSettled([dying.request(Echo, 'a'), dying.request(Echo, 'b')]);
    for (const result of results) {
      assert.equal(result.status, 'rejected');
      assert.match(String((result as PromiseRejectedResult).reason), /SIGSEGV/);
    }
    assert.equal(stops.length, 1);
    await writeFile(path.join(folder, 'dyingInMidRun.mjs'), ENGINES.good);
    assert.equal(await dying.request(Echo, 'again'), 'again!');
  });

  it('answers a cancelled request at once when it has not been sent', async () => {
    const source = new CancellationTokenSource();
    source.cancel();
    const silent = clientOf('silent');
    await assert.rejects(silent.request(Echo, '', source.token), { code: 'cancelled' });
    assert.equal(silent.pid, undefined);
  });

  it('can be stopped in mid-run without that counting as an accident', async () => {
    const silent = clientOf('silent');
    const pending = assert.rejects(silent.request(Echo, ''), {
      code: 'engine-stopped',
      message: 'The engine was stopped.',
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    silent.stop();
    await pending;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(stops, []);
  });
});
