import type { DataType } from './data-type';
import type { GraphNode, ValueInfo } from './graph';
import { type InstrumentedModel, instrument } from './instrument';
import type { Topology } from './topology';

/** A part of a model's graph as a model of its own, made of the model's own nodes and weights. */
export interface GraphSlice extends InstrumentedModel {
  /** Inputs of the whole model that the part reads too, such as an attention mask. */
  readonly ownInputs: readonly string[];
}

export interface SliceOptions {
  /** Tensors that are given from outside instead of being computed, with their types. */
  readonly from: ReadonlyMap<string, DataType>;
  /** Tensors that the part computes. */
  readonly to: readonly string[];
}

/**
 * Cuts out what lies between some tensors of a graph and others: whatever the latter need and the former do not give is
 * taken along, back to the inputs of the model.
 */
export function sliceModel(topology: Topology, { from, to }: SliceOptions): GraphSlice {
  const { model } = topology;
  const keep = new Set<GraphNode>();
  const reached = new Set<string>();
  const waiting = to.filter((tensor) => !from.has(tensor));
  for (let tensor = waiting.pop(); tensor !== undefined; tensor = waiting.pop()) {
    const node = topology.producer(tensor);
    if (node === undefined) {
      reached.add(tensor);
    } else if (!keep.has(node)) {
      keep.add(node);
      waiting.push(...topology.readBy(node).filter((name) => !from.has(name)));
    }
  }
  const own = model.graph.inputs.filter(({ name }) => reached.has(name) && !model.graph.initializers.has(name));
  const cut = [...from].map(([name, elementType]): ValueInfo => ({ name, elementType, dims: null }));
  return {
    ...instrument(model, { expose: to, keep, inputs: [...own, ...cut] }),
    ownInputs: own.map(({ name }) => name),
  };
}
