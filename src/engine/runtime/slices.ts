import type { InferenceSession } from 'onnxruntime-node';
import type { DataType } from '../onnx/data-type';
import { readModel } from '../onnx/graph';
import { headColumns } from '../onnx/head-columns';
import type { PartsModel } from '../onnx/parts-model';
import { type SliceOptions, sliceModel } from '../onnx/slice';
import { Topology } from '../onnx/topology';
import type { Unembedding } from '../onnx/unembedding';
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

/** Starts the model's head for some tokens alone; null where its weights do not allow it. */
export async function openHeadColumns(
  open: PartsModel['open'],
  unembedding: Unembedding,
  elementType: DataType,
): Promise<OpenedSlice | null> {
  const file = open();
  try {
    const columns = headColumns(new Topology(readModel(file)), unembedding, elementType);
    return columns === null ? null : { session: await openSliceSession(columns, file.path), ownInputs: [] };
  } finally {
    file.close();
  }
}
