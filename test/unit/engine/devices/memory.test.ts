import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DeviceMemory } from '../../../../src/engine/devices/memory';

const GOOD = { problem: null, slowdown: 0.5, msPerToken: 2 };
const BAD = { problem: 'no WebGPU adapter', slowdown: null, msPerToken: null };

describe('what is remembered of devices', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-memory-'));
    file = path.join(folder, 'inner', 'devices.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is there for the next window', () => {
    new DeviceMemory(file).set('machine', 'webgpu model', GOOD);
    assert.deepEqual(new DeviceMemory(file).get('machine', 'webgpu model'), GOOD);
    assert.equal(new DeviceMemory(file).get('machine', 'webgpu other'), null);
    assert.deepEqual(readdirSync(path.dirname(file)), ['devices.json']);
  });

  it('is kept without a file as long as it is used', () => {
    const memory = new DeviceMemory(null);
    memory.set('machine', 'webgpu', BAD);
    assert.deepEqual(memory.get('machine', 'webgpu'), BAD);
  });

  it('is forgotten with the machine that it holds for', () => {
    const memory = new DeviceMemory(file);
    memory.set('machine', 'webgpu model', GOOD);
    assert.equal(memory.get('machine with another driver', 'webgpu model'), null);
    memory.set('machine with another driver', 'cuda model', BAD);
    assert.equal(memory.get('machine', 'webgpu model'), null);
  });

  it('is forgotten of one device alone', () => {
    const memory = new DeviceMemory(file);
    memory.set('machine', 'webgpu', BAD);
    memory.set('machine', 'webgpu model', GOOD);
    memory.set('machine', 'cuda model', GOOD);
    memory.forget('machine', 'webgpu');
    assert.equal(memory.get('machine', 'webgpu'), null);
    assert.equal(memory.get('machine', 'webgpu model'), null);
    assert.deepEqual(memory.get('machine', 'cuda model'), GOOD);
  });

  it('does not grow without end', () => {
    const memory = new DeviceMemory(file);
    for (let model = 0; model < 100; model++) {
      memory.set('machine', `webgpu ${model}`, GOOD);
    }
    assert.equal(memory.get('machine', 'webgpu 0'), null);
    assert.deepEqual(memory.get('machine', 'webgpu 99'), GOOD);
  });

  it('is nothing where its file is spoilt or of another form', () => {
    new DeviceMemory(file).set('machine', 'webgpu', BAD);
    for (const content of [
      '',
      'null',
      '[]',
      '{"machine": "machine"}',
      '{"machine": "machine", "outcomes": {"webgpu": 3}}',
      '{"machine": "machine", "outcomes": {"webgpu": {"problem": null, "slowdown": 0.5}}}',
    ]) {
      writeFileSync(file, content);
      assert.equal(new DeviceMemory(file).get('machine', 'webgpu'), null);
    }
  });
});
