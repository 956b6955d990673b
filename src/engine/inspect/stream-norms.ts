import { HeadlightError } from '../../protocol/errors';
import type { StreamNorms } from '../../protocol/stages';
import type { Anatomy, KeptPass } from '../runtime/anatomy';
import { floatData } from '../runtime/tensors';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** How long the residual stream is at each depth, and how long what each block added to it. */
export async function streamNorms(anatomy: Anatomy, pass: KeptPass, cancellation?: Cancellation): Promise<StreamNorms> {
  const length = pass.ids.length;
  const layers = pass.stream.length - 1;
  if (layers < 0) {
    throw new HeadlightError('graph-unsupported', 'The residual stream was not found in this graph.');
  }
  const attention = new Float32Array(layers * length);
  const feedForward = new Float32Array(layers * length);
  for (let layer = 0; layer < layers; layer++) {
    await pauseUnlessCancelled(cancellation);
    const added = await anatomy.additions(pass, layer);
    attention.set(rowNorms(added.attention, length), layer * length);
    feedForward.set(rowNorms(added.feedForward, length), layer * length);
  }
  const stream = new Float32Array((layers + 1) * length);
  for (const [depth, tensor] of pass.stream.entries()) {
    stream.set(rowNorms(floatData(tensor), length), depth * length);
  }
  return { layers, length, stream, attention, feedForward };
}

/** Euclidean norms of the rows of [T, D]. */
function rowNorms(tensor: Float32Array, length: number): Float32Array {
  const width = tensor.length / length;
  return Float32Array.from({ length }, (_, row) => {
    let squares = 0;
    for (let at = row * width; at < (row + 1) * width; at++) {
      squares += tensor[at] * tensor[at];
    }
    return Math.sqrt(squares);
  });
}
