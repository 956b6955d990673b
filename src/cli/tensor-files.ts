import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Inspector, TraceTensors } from '../engine/inspect/inspector';
import { HeadlightError } from '../protocol/errors';
import type { Trace } from '../protocol/trace';
import { writeNpy } from './npy';

/**
 * Writes a trace's tensors as NumPy files, float32: logits.npy [T, V]; attention.npy [L, H, T, T], the weights after the
 * softmax; hidden.npy [L + 1, T, D], of which the first is the sum of the embeddings and the others the residual stream
 * after each block, before the final norm.
 *
 * @throws HeadlightError `graph-unsupported` where the model's attention was not found, `argument-invalid` where the
 * files cannot be written
 */
export async function writeTensors(inspector: Inspector, trace: Trace, directory: string): Promise<void> {
  if (!trace.attention.available) {
    throw new HeadlightError('graph-unsupported', trace.attention.reason);
  }
  const { layers, heads } = trace.attention;
  const tensors = await inspector.tensors(trace.id);
  const { length, logits, hiddenStates } = tensors;
  try {
    await mkdir(directory, { recursive: true });
    const file = (name: string) => path.join(directory, `${name}.npy`);
    await writeNpy(file('logits'), [length, logits.length / length], [logits]);
    await writeNpy(file('attention'), [layers, heads, length, length], eachLayer(tensors, layers));
    await writeNpy(file('hidden'), [layers + 1, length, hiddenStates[0].length / length], hiddenStates);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined || error instanceof HeadlightError) {
      throw error;
    }
    throw new HeadlightError(
      'argument-invalid',
      `The tensors cannot be written to ${path.resolve(directory)} (${(error as Error).message}); name another folder.`,
      { cause: error },
    );
  }
}

async function* eachLayer(tensors: TraceTensors, layers: number): AsyncIterable<Float32Array> {
  for (let layer = 0; layer < layers; layer++) {
    yield await tensors.attention(layer);
  }
}
