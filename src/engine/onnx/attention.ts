import { attentionParts } from './attention-parts';
import { type GraphNode, subgraphs } from './graph';
import { label, type Topology } from './topology';

/** One layer's attention, as a part of the graph: tensors by name, nodes in the order they run. */
export interface AttentionSite {
  /** The product of queries and keys: MatMul, FusedMatMul or Einsum. */
  readonly scoreNode: GraphNode;
  /** First operand of the product; for a MatMul [1, H, T, d]. */
  readonly queries: string;
  /**
   * Second operand of the product, as it reads it: [1, H, d, T] for a MatMul, [1, H, T, d] where the product transposes it
   * itself. One for each query head, also with grouped queries.
   */
  readonly keysTransposed: string;
  /** The keys before a node of their own transposes them, [1, H, T, d]; otherwise the same as `keysTransposed`. */
  readonly keys: string;
  /** What lies between `keys` and `keysTransposed`: that node, and a scale on either side of it. */
  readonly keyPath: readonly GraphNode[];
  /** All that lies between the product and `weights`: scale, mask, softcap, casts, the softmax. */
  readonly chain: readonly GraphNode[];
  /** What the chain reads and does not compute itself, each once: scales, masks, biases. */
  readonly sideInputs: readonly string[];
  readonly softmaxNode: GraphNode;
  /** The attention weights as the values are weighted by them; usually [1, H, T, T]. */
  readonly weights: string;
  /** Usually [1, H, T, d]. */
  readonly values: string;
  /** The product of weights and values. */
  readonly contextNode: GraphNode;
}

/** What a site's weights are computed from: names of tensors, each once. */
export function inputsOf({ queries, keys, keyPath, sideInputs }: AttentionSite): readonly string[] {
  const onPath = new Set(keyPath.flatMap(({ outputs }) => outputs));
  const scales = keyPath.flatMap(({ inputs }) => inputs.filter((name) => !onPath.has(name)));
  return [...new Set([queries, keys, ...scales, ...sideInputs])].filter((name) => name !== '');
}

/** What computes a layer's attention. */
export type LayerAttention =
  | { readonly kind: 'decomposed'; readonly site: AttentionSite }
  /** One operator does it all, and could not be written as its parts. */
  | { readonly kind: 'fused'; readonly node: GraphNode; readonly why: string }
  /** A softmax between two products whose parts are not those of an attention. */
  | { readonly kind: 'unclear'; readonly node: GraphNode; readonly why: string };

/** The node of a layer's attention that its queries enter. */
export function entryNode(layer: LayerAttention): GraphNode {
  return 'site' in layer ? layer.site.scoreNode : layer.node;
}

/** What may stand between the product of queries and keys and the softmax, on the path of the scores. */
const ON_SCORES = new Set([
  'Add',
  'Cast',
  'Clip',
  'Concat',
  'DequantizeLinear',
  'Div',
  'Dropout',
  'Expand',
  'Identity',
  'Max',
  'Min',
  'Mul',
  'Neg',
  'QuantizeLinear',
  'Reshape',
  'Slice',
  'Squeeze',
  'Sub',
  'Tanh',
  'Transpose',
  'Unsqueeze',
  'Where',
]);

/** What may stand between the softmax and the product with the values, on the path of the weights. */
const ON_WEIGHTS = new Set([
  'Cast',
  'DequantizeLinear',
  'Dropout',
  'Identity',
  'IsNaN',
  'Mul',
  'QuantizeLinear',
  'Reshape',
  'Slice',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
  'Where',
]);

const PRODUCTS: Readonly<Record<string, ReadonlySet<string>>> = {
  '': new Set(['MatMul', 'Einsum']),
  'com.microsoft': new Set(['FusedMatMul']),
};

const FUSED: Readonly<Record<string, ReadonlySet<string>>> = {
  '': new Set(['Attention']),
  'com.microsoft': new Set([
    'Attention',
    'DecoderMaskedMultiHeadAttention',
    'DecoderMaskedSelfAttention',
    'GroupQueryAttention',
    'LongformerAttention',
    'MultiHeadAttention',
    'PackedAttention',
    'PackedMultiHeadAttention',
    'PagedAttention',
    'QAttention',
    'SparseAttention',
  ]),
};

/** Whether a node can be the middle of an attention. */
export function mayAttend({ domain, opType }: GraphNode): boolean {
  return opType === 'Softmax' || (FUSED[domain]?.has(opType) ?? false);
}

/** Between a softmax and the products around it there are a dozen nodes; hundreds mean that it is something else. */
const FARTHEST = 200;

/**
 * Finds each layer's attention, in the order of the layers. A softmax that does not stand between two products of computed
 * tensors, such as the one of a router, is none.
 */
export function findAttention(topology: Topology): readonly LayerAttention[] {
  const layers: LayerAttention[] = [];
  for (const node of topology.order) {
    if (FUSED[node.domain]?.has(node.opType)) {
      const parts = attentionParts(topology, node);
      layers.push({ kind: 'fused', node, why: 'why' in parts ? parts.why : 'was not taken apart' });
    } else if (node.opType === 'Softmax' && node.domain === '') {
      const found = attentionAround(topology, node);
      if (found !== null) {
        layers.push(found);
      }
    }
  }
  return layers;
}

/**
 * Why no attention can be shown, as a sentence; null where every layer's was found.
 *
 * @param expectedLayers how many the model's configuration says there are
 */
export function describeMissingAttention(
  topology: Topology,
  layers: readonly LayerAttention[],
  expectedLayers: number,
): string | null {
  const unread = layers.findIndex((layer) => !('site' in layer));
  if (unread >= 0) {
    const layer = layers[unread];
    const same = layers.filter((other) => other.kind === layer.kind).length;
    const where = same === layers.length ? 'Every layer' : `Layer ${unread}`;
    if (layer.kind === 'fused') {
      const { domain, opType } = layer.node;
      return (
        `${where} computes its attention inside one operator, ${domain || 'ai.onnx'}.${opType}, which ${layer.why}; ` +
        'a model exported without fused attention shows it.'
      );
    }
    return layer.kind === 'unclear' ? `${where} has an attention that Headlight cannot follow: ${layer.why}.` : null;
  }
  if (layers.length === expectedLayers) {
    return null;
  }
  if (layers.length > 0) {
    return (
      `The graph has ${layers.length} attention blocks where config.json says ${expectedLayers} layers, so that Headlight ` +
      'cannot tell which layer each belongs to; check that both are of the same decoder.'
    );
  }
  const { functionCount } = topology.model;
  if (functionCount > 0) {
    return (
      `The graph is made of ${functionCount} operators of its own, which Headlight does not open; export the model with ` +
      'its functions inlined.'
    );
  }
  return 'No layer has a softmax between two products of computed tensors, so that there is no attention that Headlight knows.';
}

function attentionAround(topology: Topology, softmaxNode: GraphNode): LayerAttention | null {
  const contexts = productsAfter(topology, softmaxNode);
  const scores = productsBefore(topology, softmaxNode);
  if (contexts.length === 0 || scores.length === 0) {
    return null;
  }
  const unclear = (why: string): LayerAttention => ({ kind: 'unclear', node: softmaxNode, why });
  if (contexts.length > 1) {
    return unclear(`what ${label(softmaxNode)} gives weighs ${contexts.length} products`);
  }
  if (scores.length > 1) {
    return unclear(`the scores of ${label(softmaxNode)} are the sum of ${scores.length} products`);
  }
  const [{ contextNode, weights }] = contexts;
  const [scoreNode] = scores;
  const [values] = contextNode.inputs.filter((input) => input !== weights);
  const chain = between(topology, scoreNode, weights);
  if (chain === null) {
    return unclear(`there are more than ${FARTHEST} nodes around ${label(softmaxNode)}`);
  }
  const nested = chain.find((node) => subgraphs(node).length > 0);
  if (nested !== undefined) {
    return unclear(`${label(nested)} decides about the scores`);
  }
  const computed = new Set([...scoreNode.outputs, ...chain.flatMap(({ outputs }) => outputs)]);
  const sideInputs = new Set(
    chain.flatMap(({ inputs }) => inputs.filter((name) => name !== '' && !computed.has(name))),
  );
  return {
    kind: 'decomposed',
    site: {
      scoreNode,
      queries: scoreNode.inputs[0],
      keysTransposed: scoreNode.inputs[1],
      ...beforeTransposition(topology, scoreNode.inputs[1]),
      chain,
      sideInputs: [...sideInputs],
      softmaxNode,
      weights,
      values,
      contextNode,
    },
  };
}

/** Handing out transposed keys would keep the runtime from leaving the transposition to the product. */
function beforeTransposition(topology: Topology, keysTransposed: string): Pick<AttentionSite, 'keys' | 'keyPath'> {
  const path: GraphNode[] = [];
  let keys = keysTransposed;
  let isTransposed = false;
  for (let node = topology.producer(keys); node !== undefined; node = topology.producer(keys)) {
    const { opType, domain, inputs } = node;
    const scaled = inputs.findIndex((name) => topology.storedConstant(name)?.dims.every((dim) => dim === 1));
    const isScale = (opType === 'Mul' || (opType === 'Div' && scaled === 1)) && scaled >= 0;
    const transposes: boolean = !isTransposed && swapsLastTwo(node);
    if (domain !== '' || !(isScale || transposes)) {
      break;
    }
    isTransposed ||= transposes;
    path.unshift(node);
    keys = isScale ? inputs[1 - scaled] : inputs[0];
  }
  return isTransposed ? { keys, keyPath: path } : { keys: keysTransposed, keyPath: [] };
}

function swapsLastTwo({ opType, attributes }: GraphNode): boolean {
  const perm = attributes.get('perm')?.value;
  return (
    opType === 'Transpose' &&
    Array.isArray(perm) &&
    perm.length >= 2 &&
    perm.every((axis, at) => Number(axis) === (at < perm.length - 2 ? at : 2 * perm.length - 3 - at))
  );
}

/** A product of two tensors that depend on the input, and not of one with a weight. */
function isComputedProduct(topology: Topology, { opType, domain, inputs }: GraphNode): boolean {
  const isProduct = PRODUCTS[domain]?.has(opType) ?? false;
  return isProduct && inputs.length === 2 && !inputs.some((input) => topology.isConstant(input));
}

interface Weighing {
  readonly contextNode: GraphNode;
  readonly weights: string;
}

/** The products in which the softmax's result weighs something. */
function productsAfter(topology: Topology, softmaxNode: GraphNode): readonly Weighing[] {
  const products = new Map<GraphNode, Weighing>();
  const reached = new Set([softmaxNode.outputs[0]]);
  for (const weights of reached) {
    for (const node of topology.consumers(weights)) {
      if (isComputedProduct(topology, node) && (node.inputs[0] === weights || node.opType === 'Einsum')) {
        products.set(node, { contextNode: node, weights });
      } else if (node.domain === '' && ON_WEIGHTS.has(node.opType) && reached.size < FARTHEST) {
        reached.add(node.outputs[0]);
      }
    }
  }
  return [...products.values()];
}

/** The products that the softmax's scores come from. */
function productsBefore(topology: Topology, softmaxNode: GraphNode): readonly GraphNode[] {
  const products = new Set<GraphNode>();
  const reached = new Set([softmaxNode.inputs[0]]);
  for (const tensor of reached) {
    const node = topology.producer(tensor);
    if (node === undefined || topology.isConstant(tensor)) {
      continue;
    }
    if (isComputedProduct(topology, node)) {
      products.add(node);
    } else if (node.domain === '' && ON_SCORES.has(node.opType) && reached.size < FARTHEST) {
      for (const input of node.inputs) {
        reached.add(input);
      }
    }
  }
  return [...products];
}

/** The nodes that read, directly or not, what `from` gives, and that `to` depends on; null where they are too many. */
function between(topology: Topology, from: GraphNode, to: string): readonly GraphNode[] | null {
  const last = topology.producer(to)!;
  const after = new Set<GraphNode>();
  const forward = [...from.outputs];
  for (let tensor = forward.pop(); tensor !== undefined; tensor = forward.pop()) {
    for (const node of topology.consumers(tensor)) {
      if (topology.position(node) <= topology.position(last) && !after.has(node)) {
        after.add(node);
        forward.push(...node.outputs);
      }
    }
    if (after.size > FARTHEST) {
      return null;
    }
  }
  const needed = new Set<GraphNode>();
  const backward = [last];
  for (let node = backward.pop(); node !== undefined; node = backward.pop()) {
    if (after.has(node) && !needed.has(node)) {
      needed.add(node);
      for (const input of node.inputs) {
        const producer = topology.producer(input);
        if (producer !== undefined) {
          backward.push(producer);
        }
      }
    }
  }
  return [...needed].sort((a, b) => topology.position(a) - topology.position(b));
}
