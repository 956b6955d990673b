import assert from 'node:assert/strict';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { root } from '../../../scripts/project.mjs';
import { EngineClient } from '../../../src/engine/client';
import { BranchRequest } from '../../../src/protocol/continuation';
import { CandidatesRequest, LoadModelRequest, StatusRequest, TraceRequest } from '../../../src/protocol/engine';
import { LensRequest } from '../../../src/protocol/stages';

const TEXT = 'The lamp went out at ten past five. Nobody had touched the lamp';
const SAMPLER = { temperature: 1, topK: 0, topP: 1, minP: 0 };
/** Longer than the engine waits before it reads ahead. */
const QUIET = 600;

describe('the engine’s process', () => {
  const stops: string[] = [];
  const engine = new EngineClient({
    entryPoint: path.join(root, 'dist', 'engine', 'server.mjs'),
    log: () => {},
    onStopped: ({ message }) => stops.push(message),
  });

  before(() =>
    engine.request(LoadModelRequest, {
      directory: path.join(root, 'models', 'headlight-small'),
      device: { device: 'cpu', reason: null },
    }),
  );

  after(() => engine.stop());

  it('lives on where a passage is gone before anything was read ahead for it', async () => {
    const { pid } = await engine.request(StatusRequest, {});
    const { id, tokens } = await engine.request(TraceRequest, { text: TEXT, readsSpecial: false });
    const ids = tokens.map((token) => token.id);
    for (const keep of [4, 5, 6]) {
      await engine.request(BranchRequest, { traceId: id, keep, behind: ids.slice(keep + 1) });
    }
    await pause(QUIET);
    assert.deepEqual(stops, []);
    assert.equal((await engine.request(StatusRequest, {})).pid, pid);
  });

  it('says of a passage that is gone that it is, whatever is asked of it', async () => {
    const { id, tokens } = await engine.request(TraceRequest, { text: TEXT, readsSpecial: false });
    for (const text of ['One', 'Two', 'Three']) {
      await engine.request(TraceRequest, { text, readsSpecial: false });
    }
    await assert.rejects(engine.request(CandidatesRequest, { traceId: id, sampler: SAMPLER, limit: 3, seed: null }), {
      code: 'trace-unknown',
    });
    const positions = { from: 0, to: tokens.length };
    await assert.rejects(engine.request(LensRequest, { traceId: id, positions, limit: 1 }), { code: 'trace-unknown' });
    assert.deepEqual(stops, []);
  });
});
