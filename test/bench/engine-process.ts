import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { EngineClient } from '../../src/engine/client';
import { LoadModelRequest } from '../../src/protocol/engine';

/** The engine as the editor starts it, in a process of its own, with a model on the processor. */
export async function startEngine(directory: string): Promise<EngineClient> {
  const client = new EngineClient({ entryPoint: path.join(root, 'dist', 'engine', 'server.mjs'), log: () => {} });
  await client.request(LoadModelRequest, { directory, device: { device: 'cpu', reason: null } });
  return client;
}
