import { attentionParts } from './attention-parts';
import type { NodeContent } from './build';
import { type GraphNode, type Model, readModel } from './graph';
import { instrument } from './instrument';
import { ModelFile } from './model-file';
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

/** Norms that add what is new to the stream first. */
const SKIP_NORMS: Readonly<Record<string, string>> = {
  SkipLayerNormalization: 'LayerNormalization',
  SkipSimplifiedLayerNormalization: 'SimplifiedLayerNormalization',
};
/** Their output with that sum. */
const SKIP_SUM = 3;

/** @param topology of the model as it was exported */
export function writeInParts(topology: Topology): PartsModel {
  const { model } = topology;
  const replace = new Map<GraphNode, readonly NodeContent[]>();
  const operators = new Map<string, GraphNode>();
  const handedOut = new Map<string, readonly [GraphNode, NodeContent]>();
  for (const node of topology.order) {
    if (node.domain === 'com.microsoft' && node.opType in SKIP_NORMS) {
      const sum = node.outputs[SKIP_SUM] || `${node.outputs[0]}/parts/sum`;
      replace.set(node, normParts(model, node, sum));
      if (!node.outputs[SKIP_SUM]) {
        handedOut.set(sum, [node, withSum(model, node, sum)]);
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

function normParts(model: Model, node: GraphNode, sum: string): readonly NodeContent[] {
  const isSimplified = node.opType === 'SkipSimplifiedLayerNormalization';
  const [input, skip, gamma, ...others] = node.inputs;
  const [beta, bias] = isSimplified ? ['', others[0] ?? ''] : [others[0] ?? '', others[1] ?? ''];
  const biased = `${node.outputs[0]}/parts/biased`;
  return [
    ...(bias ? [{ opType: 'Add', inputs: [input, bias], outputs: [biased] }] : []),
    { opType: 'Add', inputs: [bias ? biased : input, skip], outputs: [sum] },
    {
      opType: SKIP_NORMS[node.opType],
      inputs: [sum, gamma, ...(beta ? [beta] : [])],
      outputs: [node.outputs[0]],
      attributes: { axis: -1 },
      encodedAttributes: encodedAttributes(model, node),
    },
  ];
}

/** The same norm, handing out the sum that it norms. */
function withSum(model: Model, node: GraphNode, sum: string): NodeContent {
  const { opType, domain, name, inputs, outputs } = node;
  return {
    ...{ opType, domain, name, inputs },
    outputs: [outputs[0], '', '', sum],
    encodedAttributes: encodedAttributes(model, node),
  };
}

function encodedAttributes({ file }: Model, { attributes }: GraphNode): readonly Uint8Array[] {
  return [...attributes.values()].map(({ record }) => file.read(record));
}
