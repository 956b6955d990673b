import { Flow } from './flow';
import type { GraphNode } from './graph';
import { embeddingNodes } from './residual-stream';
import type { Topology } from './topology';

/** How token ids become the first residual stream, as names of tensors. */
export interface Embedding {
  /** What the table is looked up with: ids of any shape. */
  readonly index: string;
  /** The rows of the table, as numbers: the shape of `index`, and D behind. */
  readonly rows: string;
  /** From the rows to the stream, in order. */
  readonly steps: readonly EmbeddingStep[];
}

export interface EmbeddingStep {
  readonly kind: /** Every number times the same one. */
    | 'scale'
    /** Something is added that does not depend on which token it is. */
    | 'position'
    | 'norm'
    /** A product with a weight. */
    | 'projection'
    /** What is none of these. */
    | 'other';
  /** The rows after this step. */
  readonly result: string;
  /** For `position`: what is added. */
  readonly added: string | null;
  /** For `position`: what a table of positions is looked up with; null where there is none. */
  readonly index: string | null;
  /** For `position`: whether it is computed by sine and cosine. */
  readonly sinusoidal: boolean;
  /** The operators that make it up, in order. */
  readonly operators: readonly string[];
}

/** What leaves the numbers as they are, or only turns them from integers into what they stand for. */
const PASSES_ON = new Set([
  'Cast',
  'DequantizeLinear',
  'Dropout',
  'Expand',
  'Identity',
  'Reshape',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);
const NORMS = new Set(['LayerNormalization', 'SimplifiedLayerNormalization', 'RMSNormalization']);
const PRODUCTS = new Set(['MatMul', 'Gemm', 'MatMulNBits', 'FusedMatMul']);
/** A path from the ids to the first layer is a dozen steps long. */
const MOST_STEPS = 64;

/**
 * Takes the way from the token ids to the first residual stream apart.
 *
 * @param tokens the graph's input of token ids
 * @param stream the first residual stream
 * @returns null where the tokens are not looked up in one table
 */
export function findEmbedding(topology: Topology, tokens: string, stream: string): Embedding | null {
  const lookUps = embeddingNodes(topology, tokens);
  if (lookUps.length !== 1) {
    return null;
  }
  const [lookUp] = lookUps;
  const flow = new Flow(topology, lookUp.outputs);
  const steps: EmbeddingStep[] = [];
  let rows = stream;
  for (let at = stream; at !== lookUp.outputs[0]; ) {
    const before = flow.before(at);
    if (before === null || steps.length > MOST_STEPS) {
      return null;
    }
    const passesOn = before.nodes.every((node) => PASSES_ON.has(node.opType));
    if (!passesOn) {
      steps.unshift(describe(topology, flow, at, before.nodes));
      rows = before.from;
    }
    at = before.from;
  }
  return { index: lookUp.inputs[1], rows, steps: withoutGains(topology, steps) };
}

function describe(topology: Topology, flow: Flow, result: string, nodes: readonly GraphNode[]): EmbeddingStep {
  const step = (kind: EmbeddingStep['kind']): EmbeddingStep => ({
    ...{ kind, result, added: null, index: null, sinusoidal: false },
    operators: nodes.map(({ opType }) => opType).reverse(),
  });
  if (nodes.length > 1) {
    return step(nodes.some(({ opType }) => opType.startsWith('Reduce') || NORMS.has(opType)) ? 'norm' : 'other');
  }
  const [node] = nodes;
  const others = node.inputs.filter((input) => input !== '' && !flow.has(input));
  if (NORMS.has(node.opType)) {
    return step('norm');
  }
  if (PRODUCTS.has(node.opType) && others.every((input) => topology.isConstant(input))) {
    return step('projection');
  }
  if ((node.opType === 'Mul' || node.opType === 'Div') && others.length === 1 && topology.isConstant(others[0])) {
    return step('scale');
  }
  if ((node.opType === 'Add' || node.opType === 'Sum') && others.length === 1) {
    return { ...step('position'), added: others[0], ...positionSource(topology, others[0]) };
  }
  return step('other');
}

/** Where what is added comes from. */
function positionSource(topology: Topology, added: string): Pick<EmbeddingStep, 'index' | 'sinusoidal'> {
  let tensor = added;
  let node = topology.producer(tensor);
  while (node !== undefined && (PASSES_ON.has(node.opType) || (node.opType === 'Mul' && isScaled(topology, node)))) {
    tensor = node.inputs.find((input) => !topology.isConstant(input)) ?? node.inputs[0];
    node = topology.producer(tensor);
  }
  if (node?.opType === 'Gather' && topology.isConstant(node.inputs[0])) {
    return { index: node.inputs[1], sinusoidal: false };
  }
  const parts = node?.opType === 'Concat' ? node.inputs.map((input) => topology.producer(input)) : [node];
  return { index: null, sinusoidal: parts.some((part) => part?.opType === 'Sin' || part?.opType === 'Cos') };
}

function isScaled(topology: Topology, { inputs }: GraphNode): boolean {
  return inputs.filter((input) => topology.isConstant(input)).length === 1;
}

/** A norm's gain and bias are part of the norm, where they are nodes of their own. */
function withoutGains(topology: Topology, steps: readonly EmbeddingStep[]): readonly EmbeddingStep[] {
  const merged: EmbeddingStep[] = [];
  for (const step of steps) {
    const last = merged.at(-1);
    const isBias = step.kind === 'position' && topology.isConstant(step.added!);
    if (last?.kind === 'norm' && (step.kind === 'scale' || step.kind === 'norm' || isBias)) {
      merged[merged.length - 1] = { ...last, result: step.result, operators: [...last.operators, ...step.operators] };
    } else {
      merged.push(isBias ? { ...step, kind: 'other', added: null } : step);
    }
  }
  return merged;
}
