import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../../../scripts/project.mjs';
import { EngineClient } from '../../../src/engine/client';
import { LoadModelRequest, TokenizeRequest } from '../../../src/protocol/engine';

const MODEL = path.join(root, 'models', 'headlight-small');
const DEVICE = { device: 'cpu', reason: null } as const;
const NAME = 'onnxruntime-node';

/** The engine as it is built, in a folder of its own whose runtime has this as its native binary; null for none. */
async function engineWithRuntime(folder: string, binary: string | null): Promise<string> {
  await cp(path.join(root, 'dist', 'engine'), path.join(folder, 'engine'), { recursive: true });
  const runtime = path.dirname(createRequire(path.join(root, 'package.json')).resolve(`${NAME}/package.json`));
  const copy = path.join(folder, 'node_modules', NAME);
  await mkdir(copy, { recursive: true });
  await cp(path.join(runtime, 'package.json'), path.join(copy, 'package.json'));
  await cp(path.join(runtime, 'dist'), path.join(copy, 'dist'), { recursive: true });
  await symlink(
    path.join(path.dirname(runtime), 'onnxruntime-common'),
    path.join(folder, 'node_modules', 'onnxruntime-common'),
    'junction',
  );
  if (binary !== null) {
    const place = path.join(copy, 'bin', 'napi-v6', process.platform, process.arch);
    await mkdir(place, { recursive: true });
    await writeFile(path.join(place, 'onnxruntime_binding.node'), binary);
  }
  return path.join(folder, 'engine', 'server.mjs');
}

describe('an engine whose runtime', () => {
  const folders: string[] = [];
  const clients: EngineClient[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) {
      client.stop();
    }
    for (const folder of folders.splice(0)) {
      await rm(folder, { recursive: true });
    }
  });

  const fails = async (binary: string | null) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'headlight-runtime-'));
    folders.push(folder);
    const client = new EngineClient({ entryPoint: await engineWithRuntime(folder, binary), log: () => {} });
    clients.push(client);
    await assert.rejects(client.request(LoadModelRequest, { directory: MODEL, device: DEVICE }), (error: Error) => {
      assert.equal('code' in error && error.code, 'runtime-unavailable', error.stack);
      assert.match(
        error.message,
        new RegExp(
          `^ONNX Runtime cannot be loaded on ${process.platform}-${process.arch} \\(.*\\); install the Headlight package for this platform\\.$`,
        ),
      );
      assert.ok(!error.message.includes('\n'));
      return true;
    });
    // What needs no runtime goes on, in the same process.
    const { pid } = client;
    const text = 'two words';
    const { ids } = await client.request(TokenizeRequest, {
      ...{ directory: MODEL, text },
      wanted: { from: 0, to: text.length },
    });
    assert.equal(ids.length, 2);
    assert.equal(client.pid, pid);
  };

  it('is for another platform says so, and tokenizes all the same', () => fails('no library of this platform'));

  it('is missing says so, and tokenizes all the same', () => fails(null));
});
