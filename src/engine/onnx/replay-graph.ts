import { type AttentionSite, inputsOf } from './attention';
import { encodeModel, type NodeContent, type TensorContent } from './build';
import type { DataType } from './data-type';
import type { GraphNode, Model } from './graph';

/** A small model that computes one layer's attention weights from what went into them. */
export interface ReplayGraph {
  /** A whole model file. Sites of the same structure give the same bytes. */
  readonly bytes: Uint8Array;
  /** Which of the site's tensors goes into which input of the small model. */
  readonly inputs: ReadonlyMap<string, string>;
  /** The small model's output: the attention weights. */
  readonly output: string;
  /** Whether each head can be computed alone, from its own slices of the inputs along their third axis from the end. */
  readonly headwise: boolean;
  /** Whether the keys are [.., T, d], and not [.., d, T]. */
  readonly keysByToken: boolean;
}

/** Operators that treat every cell, or every row along the last axis, by itself. */
const HEADWISE = new Set([
  'Abs',
  'Add',
  'And',
  'Cast',
  'Ceil',
  'Clip',
  'Div',
  'Dropout',
  'Equal',
  'Erf',
  'Exp',
  'Floor',
  'Greater',
  'GreaterOrEqual',
  'Identity',
  'IsInf',
  'IsNaN',
  'Less',
  'LessOrEqual',
  'Max',
  'Min',
  'Mul',
  'Neg',
  'Not',
  'Or',
  'Pow',
  'Reciprocal',
  'Sqrt',
  'Sub',
  'Sum',
  'Tanh',
  'Where',
]);

/**
 * The site's own nodes, copied as they are, with its queries, keys and side inputs as inputs: scale, masks and casts are
 * those of the model by construction.
 *
 * @param typeOf the type of the site's queries, keys and side inputs
 * @param scalars side inputs that are single numbers, the same for every text: as a part of the graph they cost nothing
 */
export function buildReplayGraph(
  model: Model,
  site: AttentionSite,
  typeOf: (tensor: string) => DataType,
  scalars: ReadonlyMap<string, Omit<TensorContent, 'name'>> = new Map(),
): ReplayGraph {
  const { scoreNode, chain, keyPath, weights } = site;
  const names = new Map<string, string>([['', '']]);
  const rename = (tensor: string): string => {
    const known = names.get(tensor);
    if (known !== undefined) {
      return known;
    }
    const name = `t${names.size}`;
    names.set(tensor, name);
    return name;
  };
  const stored = inputsOf(site).filter((name) => scalars.has(name));
  const given = inputsOf(site).filter((name) => !scalars.has(name));
  const inputs = new Map(given.map((name) => [name, rename(name)]));
  const copied = (node: GraphNode): NodeContent => ({
    ...{ opType: node.opType, domain: node.domain, inputs: node.inputs, outputs: node.outputs },
    encodedAttributes: [...node.attributes.values()].map(({ record }) => model.file.read(record)),
  });
  const nodes = [...keyPath, scoreNode, ...chain].map(copied).map((node) => ({
    ...node,
    name: '',
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  const bytes = encodeModel({
    irVersion: model.irVersion,
    opsets: model.opsets,
    graph: {
      nodes,
      inputs: [...inputs].map(([tensor, name]) => ({ name, elementType: typeOf(tensor) })),
      outputs: [{ name: rename(weights) }],
      initializers: stored.map((name) => ({ ...scalars.get(name)!, name: rename(name) })),
    },
  }).finish();
  return {
    bytes,
    inputs,
    output: rename(weights),
    headwise: isHeadwiseSite(site),
    keysByToken: keyPath.length > 0 || Number(scoreNode.attributes.get('transB')?.value ?? 0) === 1,
  };
}

/** Whether each head of a site can be computed alone, from its own slices along the third axis from the end. */
export function isHeadwiseSite({ scoreNode, chain }: AttentionSite): boolean {
  return isHeadwiseProduct(scoreNode) && chain.every(isHeadwise);
}

function isHeadwiseProduct({ opType, attributes }: GraphNode): boolean {
  return (
    opType !== 'Einsum' && ['transBatchA', 'transBatchB'].every((name) => (attributes.get(name)?.value ?? 0) === 0)
  );
}

/** A softmax along one of the first two axes would be along the heads, or as old opsets have it, over all of them at once. */
function isHeadwise({ opType, domain, attributes }: GraphNode): boolean {
  const axis = Number(attributes.get('axis')?.value ?? -1);
  return domain === '' && (HEADWISE.has(opType) || (opType === 'Softmax' && (axis === -1 || axis >= 2)));
}
