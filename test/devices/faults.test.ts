import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CancellationTokenSource } from 'vscode-jsonrpc';
import { projectCache, root } from '../../scripts/project.mjs';
import { DeviceChooser, type DeviceChooserOptions } from '../../src/engine/devices/device-chooser';
import { ModelHost } from '../../src/engine/devices/model-host';
import type { DeviceChoice } from '../../src/protocol/device';
import { ProbeDeviceRequest, TraceRequest } from '../../src/protocol/engine';
import type { LoadedModel } from '../../src/protocol/model';
import { changingLogits, type Fault, faultyEngine } from './faulty-engine';

const MODEL = path.join(root, 'test', 'parity', 'golden', 'models', 'gpt2-torch-onnx-traced');
const ENGINE = path.join(root, 'dist', 'engine', 'server.mjs');
const TEXT = 'the cat sat on the mat';

describe('a device that does not work', () => {
  const cleanups: (() => void)[] = [];
  let notices: string[] = [];
  let lines: string[] = [];

  beforeEach(() => {
    notices = [];
    lines = [];
  });
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) {
      cleanup();
    }
  });
  after(() => rmSync(path.join(projectCache, 'faulty-engines'), { recursive: true, force: true }));

  function storage(): string {
    const folder = mkdtempSync(path.join(tmpdir(), 'headlight-devices-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** A model's process as the editor has it. */
  function hostOf(entryPoint: string, options: Partial<DeviceChooserOptions> = {}) {
    const log = (line: string) => lines.push(line);
    const chooser = new DeviceChooser({ entryPoint, storage: storage(), log, ...options });
    const moved: LoadedModel[] = [];
    const reasons: (string | null)[] = [];
    const host = new ModelHost({
      entryPoint,
      chooser,
      log,
      onNotice: (sentence) => notices.push(sentence),
      onMoved: (loaded) => moved.push(loaded),
      onReason: (reason) => reasons.push(reason),
    });
    cleanups.push(() => host.restart());
    return { host, chooser, moved, reasons };
  }

  /** It runs on the processor for that reason, and answers. */
  async function endsOnCpu(
    { host }: ReturnType<typeof hostOf>,
    reason: RegExp,
    choice: DeviceChoice = 'webgpu',
  ): Promise<void> {
    const { device } = await host.load(MODEL, choice);
    assert.equal(device.device, 'cpu');
    assert.match(device.reason ?? '', reason);
    const trace = await host.request(TraceRequest, { text: TEXT });
    assert.equal(trace.device.device, 'cpu');
    assert.equal(trace.device.reason, device.reason);
  }

  function faulty(name: string, fault: Fault, options?: Partial<DeviceChooserOptions>) {
    return hostOf(faultyEngine(name, fault).entryPoint, options);
  }

  it('that the runtime was built without', async () => {
    const device = process.platform === 'win32' ? 'coreml' : 'dml';
    await endsOnCpu(hostOf(ENGINE), /^(DirectML|Core ML) is not part of the runtime for \w+-\w+$/, device);
    assert.equal(notices.length, 1);
    assert.match(notices[0], /^Headlight runs the model on the processor: (DirectML|Core ML) is not part of .*\.$/);
  });

  it('whose libraries are absent', async () => {
    await endsOnCpu(hostOf(ENGINE), /^CUDA cannot be started \(.*\)$/, 'cuda');
  });

  it('without an adapter', async () => {
    const own = process.env.VK_ICD_FILENAMES;
    process.env.VK_ICD_FILENAMES = path.join(storage(), 'absent.json');
    try {
      const auto = hostOf(ENGINE);
      await endsOnCpu(auto, /^no WebGPU adapter$/, 'auto');
      // Nobody asked for it by name.
      assert.deepEqual(notices, []);
      await endsOnCpu(auto, /^no WebGPU adapter$/, 'webgpu');
      assert.deepEqual(notices, ['Headlight runs the model on the processor: no WebGPU adapter.']);
    } finally {
      process.env.VK_ICD_FILENAMES = own;
    }
  });

  it('whose driver file is broken', async () => {
    const own = process.env.VK_ICD_FILENAMES;
    const broken = path.join(storage(), 'broken.json');
    writeFileSync(broken, '{"ICD": {"library_path": "/nowhere/libnothing.so", "api_version": "1.1.0"}}');
    process.env.VK_ICD_FILENAMES = broken;
    try {
      await endsOnCpu(hostOf(ENGINE), /^no WebGPU adapter$/);
    } finally {
      process.env.VK_ICD_FILENAMES = own;
    }
  });

  it('that is only software: auto passes it over before the proof, and who asks for it gets it', async () => {
    const auto = hostOf(ENGINE, { limits: { proof: 1 } });
    await endsOnCpu(auto, /^only a software WebGPU adapter \(SwiftShader .*\)$/, 'auto');
    await endsOnCpu(auto, /^only a software WebGPU adapter/, 'auto');
    assert.deepEqual(notices, []);
    assert.equal(lines.filter((line) => line === 'trying WebGPU').length, 1);
    assert.deepEqual((await auto.host.load(MODEL, 'webgpu')).device, { device: 'webgpu', reason: null });
  });

  it('that hangs when it is started', async () => {
    const hanging = faulty('hang', { create: 'for (;;) {}' }, { limits: { probe: 2000 } });
    await endsOnCpu(hanging, /^WebGPU did not answer within 2 s$/);
    assert.equal(lines.filter((line) => /WebGPU is not used/.test(line)).length, 1);
    const [trial] = lines.flatMap((line) => /^engine started, process (\d+)/.exec(line)?.[1] ?? []);
    assert.throws(() => process.kill(Number(trial), 0), 'the process that hangs was ended');
  });

  it('that hangs, and the process that asked for it is gone: it does not stay behind', async () => {
    const { entryPoint } = faultyEngine('orphan', { create: 'for (;;) {}' });
    const asking = `
      const engine = require('node:child_process').fork(${JSON.stringify(entryPoint)}, [], { serialization: 'advanced' });
      engine.send({ jsonrpc: '2.0', id: 1, method: ${JSON.stringify(ProbeDeviceRequest.method)}, params: { device: 'webgpu' } });
      setTimeout(() => console.log(engine.pid), 2000);`;
    const parent = spawn(process.execPath, ['-e', asking], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = Number(String((await once(parent.stdout, 'data'))[0]));
    process.kill(pid, 0);
    parent.kill('SIGKILL');
    const isThere = () => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    while (isThere()) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });

  it('that ends the process when it is started', async () => {
    const aborting = faulty('abort', { create: 'process.abort();' });
    await endsOnCpu(aborting, /^WebGPU crashed when it was tried \(its process was ended by SIGABRT\)$/, 'auto');
    // With auto a line in the log is all that it costs.
    assert.deepEqual(notices, []);
  });

  it('that works until a model comes', async () => {
    const run = "if (Object.keys(feeds).includes('x')) return run(); process.abort();";
    await endsOnCpu(faulty('abort-late', { run }), /^WebGPU crashed when it was tried/);
    const hang = "if (Object.keys(feeds).includes('x')) return run(); for (;;) {}";
    const hanging = faulty('hang-late', { run: hang }, { limits: { proof: 3000 } });
    await endsOnCpu(hanging, /^WebGPU did not answer within 3 s$/, 'auto');
  });

  it('that cannot multiply', async () => {
    const run = `const results = await run();
      return results.y ? { y: new Tensor('float32', results.y.data.map((value) => value + 1), results.y.dims) } : results;`;
    await endsOnCpu(faulty('product', { run }), /^WebGPU gives wrong numbers: 8\.000, .* for a product that is 7, /);
  });

  it('that gives wrong logits', async () => {
    const wrong = faulty('logits', { run: changingLogits('true', 'value * 1.01') });
    await endsOnCpu(
      wrong,
      /^WebGPU gives wrong numbers: logits differ from the processor’s by 1\.0e-2 of the largest, 0\.0001 is allowed$/,
      'auto',
    );
    assert.match(notices[0], /^Headlight runs the model on the processor: WebGPU gives wrong numbers: .* by 1\.0e-2 /);
    assert.equal(notices.length, 1);
  });

  it('that gives no numbers', async () => {
    const wrong = faulty('nan', { run: changingLogits('true', 'index === 7 ? NaN : value') });
    await endsOnCpu(wrong, /logits differ from the processor’s by beyond measure|by beyond measure/);
  });

  it('whose queries are wrong, and with them the attention', async () => {
    const run = `const results = await run();
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) =>
        name !== 'logits' && tensor.type === 'float32' && tensor.dims.length === 4
          ? [name, new Tensor('float32', tensor.data.map((value) => value * 1.5 + 0.1), tensor.dims)] : [name, tensor]));`;
    await endsOnCpu(
      faulty('queries', { run }),
      /^WebGPU gives wrong numbers: attention weights differ .* by \d\.\de-\d, /,
    );
  });

  it('that is wrong only where it goes on from its cache', async () => {
    const cached = path.join(root, 'models', 'headlight-small');
    const wrong = faulty('cache', { run: changingLogits('feeds.input_ids.dims[1] === 1', 'value + 0.5') });
    const { device } = await wrong.host.load(cached, 'webgpu');
    assert.equal(device.device, 'cpu');
    assert.match(device.reason ?? '', /^WebGPU gives wrong numbers: logits from its cache differ/);
  });

  describe('is lost in mid-run', () => {
    for (const [name, run, sentence] of [
      [
        'lost',
        "if (struck()) throw new Error('WebGPU device lost (2): a reset'); return run();",
        /^WebGPU was lost while it ran \(WebGPU device lost \(2\): a reset\)$/,
      ],
      [
        'memory',
        "if (struck()) throw new Error('Failed to create a buffer: out of memory'); return run();",
        /^WebGPU ran out of memory$/,
      ],
      [
        'process',
        'if (struck()) process.abort(); return run();',
        /^WebGPU was lost while it ran \(the engine process was ended by SIGABRT\)$/,
      ],
    ] as const) {
      it(`(${name}): the request is answered, on the processor`, async () => {
        const engine = faultyEngine(name, { run });
        const { host, moved } = hostOf(engine.entryPoint);
        const loaded = await host.load(MODEL, 'webgpu');
        assert.deepEqual(loaded.device, { device: 'webgpu', reason: null });
        const before = await host.request(TraceRequest, { text: TEXT });
        assert.equal(before.device.device, 'webgpu');
        engine.strike();
        // Two at once: both were under way.
        const [one, two] = await Promise.all([
          host.request(TraceRequest, { text: TEXT }),
          host.request(TraceRequest, { text: TEXT }),
        ]);
        for (const { device, tokens } of [one, two]) {
          assert.equal(device.device, 'cpu');
          assert.match(device.reason ?? '', sentence);
          assert.deepEqual(
            tokens.map(({ surprisal }) => surprisal),
            before.tokens.map(({ surprisal }) => surprisal),
          );
        }
        assert.equal(moved.length, 1);
        assert.equal(notices.length, 1);
        assert.match(notices[0], /^Headlight runs the model on the processor from now on: WebGPU .*\.$/);
        // And it stays there, though the device was fine when it was tried.
        assert.equal((await host.load(MODEL, 'webgpu')).device.device, 'cpu');
        assert.equal((await host.request(TraceRequest, { text: TEXT })).device.device, 'cpu');
      });
    }

    for (const [name, hang] of [
      ['that holds its process up', 'for (;;) {}'],
      ['that never comes back to it', 'await new Promise(() => {});'],
    ] as const) {
      it(`(by a hang ${name}): the request is answered after a while, on the processor`, async () => {
        const engine = faultyEngine(`hang-${hang.length}`, { run: `if (struck()) { ${hang} } return run();` });
        const { host, moved } = hostOf(engine.entryPoint, { limits: { run: 1500 } });
        assert.deepEqual((await host.load(MODEL, 'webgpu')).device, { device: 'webgpu', reason: null });
        engine.strike();
        const hanging = host.pid;
        const [one, two] = await Promise.all([
          host.request(TraceRequest, { text: TEXT }),
          host.request(TraceRequest, { text: TEXT }),
        ]);
        for (const { device, tokens } of [one, two]) {
          assert.equal(device.device, 'cpu');
          assert.match(device.reason ?? '', /^WebGPU does not answer any more: a run took longer than \d s$/);
          assert.ok(tokens.length > 0);
        }
        assert.throws(() => process.kill(hanging!, 0), 'the process that hangs was ended');
        assert.equal(moved.length, 1);
        assert.deepEqual(notices, [`Headlight runs the model on the processor from now on: ${one.device.reason}.`]);
        assert.equal((await host.request(TraceRequest, { text: TEXT })).device.device, 'cpu');
      });
    }

    it('by a hang that nobody waits for any more', async () => {
      const engine = faultyEngine('hang-unasked', { run: 'if (struck()) { for (;;) {} } return run();' });
      const { host, moved } = hostOf(engine.entryPoint, { limits: { run: 1000 } });
      await host.load(MODEL, 'webgpu');
      engine.strike();
      const source = new CancellationTokenSource();
      const asked = host.request(TraceRequest, { text: TEXT }, source.token).catch(() => null);
      setTimeout(() => source.cancel(), 300);
      await asked;
      assert.equal((await host.request(TraceRequest, { text: TEXT })).device.device, 'cpu');
      assert.equal(moved.length, 1);
      assert.equal(notices.length, 1);
    });

    it('but not by a run that is longer than any of the trial: it is waited for by what it reads', async () => {
      const run = 'await sleep((struck() ? 200 : 20) * (feeds.input_ids?.dims[1] ?? 0)); return run();';
      const engine = faultyEngine('long-run', { run });
      const { host } = hostOf(engine.entryPoint, { limits: { run: 500 } });
      await host.load(MODEL, 'webgpu');
      engine.strike();
      assert.equal((await host.request(TraceRequest, { text: TEXT })).device.device, 'webgpu');
      assert.deepEqual(notices, []);
    });

    it('by a hang while the model is loaded', async () => {
      const engine = faultyEngine('hang-loading', {
        create: 'if (struck()) { for (;;) {} } return open();',
        cpuRun: 'await sleep(30); return run();',
      });
      const { host } = hostOf(engine.entryPoint, { limits: { proof: 15_000 } });
      assert.equal((await host.load(MODEL, 'auto')).device.device, 'webgpu');
      host.restart();
      engine.strike();
      const { device } = await host.load(MODEL, 'auto');
      assert.deepEqual(device, {
        device: 'cpu',
        reason: 'WebGPU does not answer any more: opening the model took longer than 15 s',
      });
      assert.equal(notices.length, 1);
      assert.equal((await host.request(TraceRequest, { text: TEXT })).device.device, 'cpu');
    });

    it('and is used again after a restart', async () => {
      const engine = faultyEngine('again', {
        run: "if (struck()) throw new Error('WebGPU device lost'); return run();",
      });
      const { host } = hostOf(engine.entryPoint);
      await host.load(MODEL, 'webgpu');
      engine.strike();
      assert.equal((await host.request(TraceRequest, { text: TEXT })).device.device, 'cpu');
      rmSync(engine.entryPoint.replace(/\.mjs$/, '.struck'));
      host.restart();
      assert.equal((await host.load(MODEL, 'webgpu')).device.device, 'webgpu');
    });

    it('while the model is loaded', async () => {
      const engine = faultyEngine('loading', { create: "if (struck()) throw new Error('no device'); return open();" });
      const { host } = hostOf(engine.entryPoint);
      await host.load(MODEL, 'webgpu');
      host.restart();
      engine.strike();
      const { device } = await host.load(MODEL, 'webgpu');
      assert.deepEqual(device, { device: 'cpu', reason: 'WebGPU cannot be started (no device)' });
      assert.equal((await host.request(TraceRequest, { text: TEXT })).device.device, 'cpu');
    });
  });

  describe('is remembered', () => {
    it('for this machine: it is tried once, in whatever window', async () => {
      const folder = storage();
      const { entryPoint } = faultyEngine('once', { create: 'process.abort();' });
      await endsOnCpu(hostOf(entryPoint, { storage: folder }), /crashed/);
      assert.equal(trials(), 1);
      await endsOnCpu(hostOf(entryPoint, { storage: folder }), /crashed/);
      assert.equal(trials(), 1);
      // With every model, since it did not even come to one.
      const other = hostOf(entryPoint, { storage: folder });
      assert.match(
        (await other.host.load(path.join(root, 'models', 'headlight-small'), 'auto')).device.reason!,
        /crashed/,
      );
      assert.equal(trials(), 1);
    });

    it('until a driver changes', async () => {
      const folder = storage();
      const { entryPoint } = faultyEngine('driver', { create: 'process.abort();' });
      await endsOnCpu(hostOf(entryPoint, { storage: folder }), /crashed/);
      const own = process.env.VK_ICD_FILENAMES;
      process.env.VK_ICD_FILENAMES = `${own}:${path.join(folder, 'another.json')}`;
      try {
        await endsOnCpu(hostOf(entryPoint, { storage: folder }), /crashed/);
      } finally {
        process.env.VK_ICD_FILENAMES = own;
      }
      assert.equal(trials(), 2);
    });

    it('until it is checked', async () => {
      const engine = faultyEngine('checked', { create: 'if (!struck()) process.abort(); return open();' });
      const { host, chooser } = hostOf(engine.entryPoint);
      await host.load(MODEL, 'webgpu');
      engine.strike();
      assert.equal((await host.load(MODEL, 'webgpu')).device.device, 'cpu');
      const { problem, proof } = await chooser.check(MODEL, 'webgpu');
      assert.equal(problem, null);
      assert.ok(proof !== null && proof.operators !== null);
      assert.equal((await host.load(MODEL, 'webgpu')).device.device, 'webgpu');
    });

    it('in a file that may be spoilt', async () => {
      const folder = storage();
      const { entryPoint } = faultyEngine('spoilt', {});
      writeFileSync(path.join(folder, 'devices.json'), '{"machine": 3, "outcomes": [');
      assert.equal((await hostOf(entryPoint, { storage: folder }).host.load(MODEL, 'webgpu')).device.device, 'webgpu');
      const kept = JSON.parse(readFileSync(path.join(folder, 'devices.json'), 'utf8'));
      assert.deepEqual(
        Object.values(kept.outcomes).map((outcome) => (outcome as { problem: null }).problem),
        [null],
      );
    });

    function trials(): number {
      return lines.filter((line) => line === 'trying WebGPU').length;
    }
  });

  it('makes auto choose by what is faster', async () => {
    const slow = faulty('slow', { run: 'await sleep(30); return run();' });
    await endsOnCpu(slow, /^WebGPU is slower here: [\d.]+ × the processor’s time for this model$/, 'auto');
    assert.deepEqual(notices, []);
    // Who asks for it gets it.
    assert.deepEqual((await slow.host.load(MODEL, 'webgpu')).device, { device: 'webgpu', reason: null });
    const fast = faulty('fast', { cpuRun: 'await sleep(30); return run();' });
    assert.deepEqual((await fast.host.load(MODEL, 'auto')).device, { device: 'webgpu', reason: null });
  });

  describe('is tried while the model runs on the processor already', () => {
    const tried: (string | null)[] = [];
    const hear = (device: string | null) => tried.push(device);
    beforeEach(() => tried.splice(0));

    async function until(holds: () => boolean): Promise<void> {
      while (!holds()) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }

    it('and hangs: nobody waits for it, and the reason comes later', async () => {
      const { host, moved, reasons } = faulty('hang-behind', { create: 'for (;;) {}' }, { limits: { probe: 5000 } });
      const { device } = await host.loadAtOnce(MODEL, hear);
      assert.deepEqual(device, { device: 'cpu', reason: null });
      const { pid } = host;
      assert.equal((await host.request(TraceRequest, { text: TEXT })).device.device, 'cpu');
      assert.deepEqual(reasons, []);
      await until(() => reasons.length > 0);
      assert.deepEqual(reasons, ['WebGPU did not answer within 5 s']);
      assert.deepEqual(tried, ['webgpu', null]);
      assert.deepEqual([notices, moved], [[], []]);
      assert.equal(host.pid, pid, 'the model stays where it is');
    });

    it('and proves itself: the model moves there, and all that is asked meanwhile is answered', async () => {
      const folder = storage();
      const engine = faultyEngine('fast-behind', { cpuRun: 'await sleep(30); return run();' });
      const { host, moved, reasons } = hostOf(engine.entryPoint, { storage: folder });
      assert.equal((await host.loadAtOnce(MODEL, hear)).device.device, 'cpu');
      const asked: Promise<unknown>[] = [];
      const asking = setInterval(() => asked.push(host.request(TraceRequest, { text: TEXT })), 150);
      await until(() => moved.length > 0);
      clearInterval(asking);
      await Promise.all(asked);
      assert.ok(asked.length > 0);
      assert.deepEqual(
        moved.map(({ device }) => device),
        [{ device: 'webgpu', reason: null }],
      );
      assert.equal((await host.request(TraceRequest, { text: TEXT })).device.device, 'webgpu');
      assert.deepEqual([tried.at(-1), notices, reasons], [null, [], []]);
      // The next start knows.
      const next = hostOf(engine.entryPoint, { storage: folder });
      tried.splice(0);
      assert.equal((await next.host.loadAtOnce(MODEL, hear)).device.device, 'webgpu');
      assert.deepEqual(tried, []);
    });

    it('and is left alone once another model is wanted', async () => {
      const { host, moved, reasons } = faulty('left-behind', { create: 'await sleep(2000); return open();' });
      await host.loadAtOnce(MODEL, hear);
      await until(() => tried.length > 0);
      const other = await host.load(path.join(root, 'models', 'headlight-small'), 'cpu');
      assert.equal(other.model.name, 'headlight-small');
      await new Promise((resolve) => setTimeout(resolve, 3000));
      assert.deepEqual([moved, reasons, notices], [[], [], []]);
      assert.equal((await host.request(TraceRequest, { text: TEXT })).model.name, 'headlight-small');
    });
  });

  it('is not tried for the processor', async () => {
    const { host } = faulty('untried', { create: 'process.abort();' });
    assert.deepEqual((await host.load(MODEL, 'cpu')).device, { device: 'cpu', reason: null });
    assert.deepEqual(
      lines.filter((line) => /^trying/.test(line)),
      [],
    );
  });
});
