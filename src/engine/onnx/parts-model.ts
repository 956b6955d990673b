import { attentionParts } from './attention-parts';
import type { NodeContent } from './build';
import { type GraphNode, readModel } from './graph';
import { instrument } from './instrument';
import { ModelFile } from './model-file';
import { summedNorm } from './summed-norm';
import { Topology } from './topology';

/**
 * A model in which operators that do several things at once are written as what they do: a layer's whole attention, a sum
 * and its norm. The model itself runs as it was exported; everything inside is found, cut out and computed in this one.
 */
export interface PartsModel {
  readonly topology: Topology;
  /** Opens the model's file again, or the bytes that were written instead of it. Close it after use. */
  readonly open: () => ModelFile;
  /** The operators that were taken apart to show their attention, by the name of their output, in the model's order. */
  readonly operators: ReadonlyMap<string, GraphNode>;
  /** What the exported model does not hand out as it is: which of its nodes has to be written how to do so. */
  readonly handedOut: ReadonlyMap<string, readonly [GraphNode, NodeContent]>;
}

/** @param topology of the model as it was exported */
export function writeInParts(topology: Topology): PartsModel {
  const { model } = topology;
  const replace = new Map<GraphNode, readonly NodeContent[]>();
  const operators = new Map<string, GraphNode>();
  const handedOut = new Map<string, readonly [GraphNode, NodeContent]>();
  for (const node of topology.order) {
    const norm = summedNorm(topology, node);
    if (norm !== null) {
      replace.set(node, norm.nodes);
      if (norm.summing !== null) {
        handedOut.set(norm.sum, [node, norm.summing]);
      }
      continue;
    }
    const parts = attentionParts(topology, node);
    if ('nodes' in parts) {
      replace.set(node, parts.nodes);
      operators.set(node.outputs[0], node);
    }
  }
  if (replace.size === 0) {
    return { topology, open: () => model.file.reopen(), operators, handedOut };
  }
  const { bytes } = instrument(model, { expose: [], replace });
  const open = () => ModelFile.inMemory(bytes, model.file);
  return { topology: new Topology(readModel(open())), open, operators, handedOut };
}

/**
 * What these tensors are computed from: those that the exported graph has as well, as near to them as there are. None for a
 * tensor that it has itself, nor for what comes from weights alone.
 */
export function exportedSources(
  { topology }: PartsModel,
  exported: Topology,
  tensors: Iterable<string>,
): readonly string[] {
  const sources = new Set<string>();
  const seen = new Set<string>();
  const waiting = [...tensors].filter((name) => !isExported(exported, name));
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    for (const input of topology.producer(name)?.inputs ?? []) {
      if (topology.isConstant(input) || seen.has(input)) {
        continue;
      }
      seen.add(input);
      if (isExported(exported, input)) {
        sources.add(input);
      } else {
        waiting.push(input);
      }
    }
  }
  return [...sources];
}

/** Whether a tensor of the model in parts is one of the exported model too. */
export function isExported(exported: Topology, tensor: string): boolean {
  const { inputs, initializers } = exported.model.graph;
  return (
    exported.producer(tensor) !== undefined || initializers.has(tensor) || inputs.some(({ name }) => name === tensor)
  );
}
