import type { GraphNode } from './graph';
import type { Topology } from './topology';

/** What one block adds to the residual stream, as names of tensors [1, T, D]. */
export interface LayerParts {
  /** The stream before the block. */
  readonly before: string;
  /** The stream after it: `before` and all additions. */
  readonly after: string;
  /** The attention's additions; one in nearly all models. */
  readonly attention: readonly string[];
  /** All other additions: those of the feed-forward. */
  readonly feedForward: readonly string[];
  /** What computes the feed-forward's hidden layer; null where it has no such layer that could be told apart. */
  readonly neurons: Neurons | null;
}

/** The hidden layer of a feed-forward. */
export interface Neurons {
  /** [1, T, F]: what goes into the down-projection. */
  readonly activations: string;
  /** [1, T, F] each: what the projections before it give: one, or with a gate two. */
  readonly projections: readonly string[];
  /** The function between them, as its name is known; where it is not, the operators it is made of. */
  readonly activation: string;
}

/** What leaves the numbers on the stream as they are. */
const PASSES_ON = new Set(['Cast', 'Dropout', 'Identity']);
/** Where a path of data ends: a shape says nothing about the numbers. */
const NO_FLOW = new Set(['Shape', 'Size', 'ConstantOfShape']);
/** From the hidden layer of a feed-forward back to its projections there are a dozen nodes. */
const FARTHEST = 40;

/**
 * Takes the sum that a block makes of the stream apart.
 *
 * @param entry the node where the block's attention begins
 * @returns null where the stream after the block is not a sum of the one before it and additions
 */
export function findLayerParts(topology: Topology, before: string, after: string, entry: GraphNode): LayerParts | null {
  const skips = new Set<string>([before]);
  if (!leadsTo(topology, after, before, skips)) {
    return null;
  }
  const additions = termsOf(topology, after, before, skips);
  const reads = (tensor: string) => reaches(topology, tensor, entry, skips);
  const attention = additions.filter(reads);
  const feedForward = additions.filter((tensor) => !attention.includes(tensor));
  if (attention.length === 0) {
    return null;
  }
  const down = feedForward.length === 1 ? findNeurons(topology, feedForward[0], skips) : null;
  return { before, after, attention, feedForward, neurons: down };
}

/** Whether a tensor is a sum that the stream goes into; collects the sums on the way. */
function leadsTo(topology: Topology, tensor: string, stream: string, skips: Set<string>): boolean {
  if (tensor === stream) {
    return true;
  }
  const node = topology.producer(tensor);
  if (node === undefined || node.domain !== '') {
    return false;
  }
  const inputs = PASSES_ON.has(node.opType) ? node.inputs.slice(0, 1) : isSum(node) ? node.inputs : [];
  const found = inputs.some((input) => leadsTo(topology, input, stream, skips));
  if (found) {
    skips.add(tensor);
  }
  return found;
}

/** All that is summed up into a tensor but for the stream before the block. */
function termsOf(topology: Topology, tensor: string, before: string, skips: ReadonlySet<string>): readonly string[] {
  const node = topology.producer(tensor)!;
  const inputs = PASSES_ON.has(node.opType) ? node.inputs.slice(0, 1) : node.inputs;
  return inputs
    .filter((input) => input !== before)
    .flatMap((input) => {
      const producer = topology.producer(input);
      // A bias belongs to the product that it is added to; a sum of two computed tensors is two additions.
      const isJoint =
        producer !== undefined && isSum(producer) && !producer.inputs.some((name) => topology.isConstant(name));
      return skips.has(input) || isJoint ? termsOf(topology, input, before, skips) : [input];
    });
}

function isSum({ opType, domain }: GraphNode): boolean {
  return domain === '' && (opType === 'Add' || opType === 'Sum');
}

/** Whether a tensor is computed from a node without passing the stream. */
function reaches(topology: Topology, tensor: string, node: GraphNode, skips: ReadonlySet<string>): boolean {
  const seen = new Set<GraphNode>();
  const waiting = [tensor];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const producer = skips.has(name) || topology.isConstant(name) ? undefined : topology.producer(name);
    if (producer === node) {
      return true;
    }
    if (producer !== undefined && !seen.has(producer)) {
      seen.add(producer);
      waiting.push(...producer.inputs);
    }
  }
  return false;
}

/** The hidden layer before the last product with a weight. */
function findNeurons(topology: Topology, addition: string, skips: ReadonlySet<string>): Neurons | null {
  let tensor = addition;
  let node = topology.producer(tensor);
  while (node !== undefined && !isProjection(topology, node)) {
    const computed = node.inputs.filter((input) => !topology.isConstant(input));
    if (computed.length !== 1 || !(isSum(node) || PASSES_ON.has(node.opType) || node.opType === 'Reshape')) {
      return null;
    }
    tensor = computed[0];
    node = topology.producer(tensor);
  }
  if (node === undefined) {
    return null;
  }
  const activations = node.inputs[0];
  const projections = new Set<string>();
  const between = new Set<GraphNode>();
  const waiting = [activations];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const producer = topology.producer(name);
    if (producer === undefined || skips.has(name) || between.size > FARTHEST) {
      return null;
    }
    if (isBiasedProjection(topology, producer)) {
      projections.add(name);
    } else if (!between.has(producer) && !NO_FLOW.has(producer.opType)) {
      between.add(producer);
      waiting.push(...producer.inputs.filter((input) => !topology.isConstant(input)));
    }
  }
  const inOrder = [...projections].sort(
    (a, b) => topology.position(topology.producer(a)!) - topology.position(topology.producer(b)!),
  );
  return { activations, projections: inOrder, activation: nameActivation([...between]) };
}

/** A product of a computed tensor and a weight. */
function isProjection(topology: Topology, { opType, inputs }: GraphNode): boolean {
  const isProduct = opType === 'Gemm' || opType === 'MatMulNBits' || opType === 'MatMul' || opType === 'FusedMatMul';
  return isProduct && !topology.isConstant(inputs[0]) && topology.isConstant(inputs[1]);
}

/** The same with its bias added. */
function isBiasedProjection(topology: Topology, node: GraphNode): boolean {
  if (isProjection(topology, node)) {
    return true;
  }
  const computed = node.inputs.filter((input) => !topology.isConstant(input));
  const producer = isSum(node) && computed.length === 1 ? topology.producer(computed[0]) : undefined;
  return producer !== undefined && isProjection(topology, producer);
}

/** What the operators between the projections and the hidden layer are called together. */
function nameActivation(between: readonly GraphNode[]): string {
  const has = (...names: string[]) => names.some((name) => between.some(({ opType }) => opType === name));
  if (has('Tanh', 'FastGelu')) {
    return 'GELU (tanh)';
  }
  if (has('Erf')) {
    return 'GELU';
  }
  const gelu = between.find(({ opType }) => opType === 'Gelu' || opType === 'BiasGelu');
  if (gelu !== undefined) {
    return gelu.attributes.get('approximate')?.value === 'tanh' ? 'GELU (tanh)' : 'GELU';
  }
  if (has('QuickGelu')) {
    return 'QuickGELU';
  }
  if (has('Sigmoid', 'Swish')) {
    return 'SiLU';
  }
  if (has('Relu')) {
    return 'ReLU';
  }
  return [...new Set(between.map(({ opType }) => opType))].join(', ');
}
