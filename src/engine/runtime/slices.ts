import type { InferenceSession } from 'onnxruntime-node';
import { readModel } from '../onnx/graph';
import type { PartsModel } from '../onnx/parts-model';
import { type SliceOptions, sliceModel } from '../onnx/slice';
import { Topology } from '../onnx/topology';
import { openSliceSession } from './providers';

/** A part of the model's graph, ready to run. */
export interface OpenedSlice {
  readonly session: InferenceSession;
  /** Inputs of the whole model that the part reads too. */
  readonly ownInputs: readonly string[];
}

/** Cuts a part out of a model and starts it. */
export async function cutSlice(open: PartsModel['open'], options: SliceOptions): Promise<OpenedSlice> {
  const file = open();
  try {
    const slice = sliceModel(new Topology(readModel(file)), options);
    return { session: await openSliceSession(slice, file.path), ownInputs: slice.ownInputs };
  } finally {
    file.close();
  }
}
