import { type AttentionSite, inputsOf } from './attention';
import { encodeModel, type NodeContent, nodeAgain, type TensorContent } from './build';
import { DataType } from './data-type';
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
}

/** Which axes of a side input count queries, the last but one, and keys, the last; others are spread over them. */
export interface SpreadAxes {
  readonly queries: boolean;
  readonly keys: boolean;
}

/** Inputs of a replay by blocks, int64 [1] each: the queries from…to − 1 are computed, with the keys before `to`. */
export const BLOCK_FROM = 'from';
export const BLOCK_TO = 'to';
/** Slice takes its ends as inputs from this opset on. */
export const BLOCK_OPSET = 10;

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
 * @param blocks where given, the graph computes a block of queries out of all that it is given; by the side input
 */
export function buildReplayGraph(
  model: Model,
  site: AttentionSite,
  typeOf: (tensor: string) => DataType,
  scalars: ReadonlyMap<string, Omit<TensorContent, 'name'>> = new Map(),
  blocks: ReadonlyMap<string, SpreadAxes> | null = null,
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
  const cuts = blocks === null ? [] : given.flatMap((name) => cutTo(rename(name), axesOf(site, name, blocks)));
  const isCut = new Set(cuts.flatMap(({ outputs }) => outputs));
  const inputs = new Map(given.map((name) => [name, isCut.has(rename(name)) ? wholeOf(rename(name)) : rename(name)]));
  const nodes = [...keyPath, scoreNode, ...chain].map((node) =>
    nodeAgain(model.file, node, { inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }),
  );
  const ends = blocks === null ? [] : [BLOCK_FROM, BLOCK_TO].map((name) => ({ name, elementType: DataType.Int64 }));
  const bytes = encodeModel({
    irVersion: model.irVersion,
    opsets: model.opsets,
    graph: {
      nodes: [...cuts, ...nodes],
      inputs: [...[...inputs].map(([tensor, name]) => ({ name, elementType: typeOf(tensor) })), ...ends],
      outputs: [{ name: rename(weights) }],
      initializers: [
        ...stored.map((name) => ({ ...scalars.get(name)!, name: rename(name) })),
        ...(blocks === null ? [] : [integer(ZERO, 0), integer(QUERY_AXIS, -2), integer(KEY_AXIS, -1)]),
      ],
    },
  }).finish();
  return { bytes, inputs, output: rename(weights), headwise: isHeadwiseSite(site) };
}

const ZERO = 'zero';
const QUERY_AXIS = 'query_axis';
const KEY_AXIS = 'key_axis';

function integer(name: string, value: number): TensorContent {
  return { name, dataType: DataType.Int64, dims: [1], data: new Uint8Array(BigInt64Array.of(BigInt(value)).buffer) };
}

function wholeOf(name: string): string {
  return `whole_${name}`;
}

/** What a block needs of a tensor: its queries' rows, and of keys, in whichever axis they lie, those before its end. */
type BlockCut = 'queries' | 'keys-last-but-one' | 'keys-last';

function axesOf(
  { queries, keys, keyPath, scoreNode }: AttentionSite,
  name: string,
  blocks: ReadonlyMap<string, SpreadAxes>,
): readonly BlockCut[] {
  if (name === queries) {
    return ['queries'];
  }
  if (name === keys) {
    const isByToken = keyPath.length > 0 || Number(scoreNode.attributes.get('transB')?.value ?? 0) === 1;
    return [isByToken ? 'keys-last-but-one' : 'keys-last'];
  }
  const spread = blocks.get(name);
  return [...(spread?.queries ? ['queries' as const] : []), ...(spread?.keys ? ['keys-last' as const] : [])];
}

/** Nodes that make a tensor of that name out of the whole one. */
function cutTo(name: string, cuts: readonly BlockCut[]): readonly NodeContent[] {
  return cuts.map((cut, index) => ({
    opType: 'Slice',
    inputs: [
      index === 0 ? wholeOf(name) : `${name}_${index}`,
      cut === 'queries' ? BLOCK_FROM : ZERO,
      BLOCK_TO,
      cut === 'keys-last' ? KEY_AXIS : QUERY_AXIS,
    ],
    outputs: [index === cuts.length - 1 ? name : `${name}_${index + 1}`],
  }));
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
