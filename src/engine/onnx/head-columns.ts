import { type NodeContent, nodeAgain } from './build';
import { DataType } from './data-type';
import type { GraphNode } from './graph';
import { type InstrumentedModel, instrument } from './instrument';
import type { Topology } from './topology';
import type { Unembedding } from './unembedding';

/** The input of `headColumns` beside the stream: int64 [N], ids of tokens. */
export const TOKENS_INPUT = 'headlight.tokens';

const ELEMENTWISE = new Set(['Add', 'Sub', 'Mul', 'Div', 'Cast', 'Identity']);
/** Numbers that share a byte cannot be taken one by one. */
const NOT_BY_ITSELF = new Set<number>([DataType.Int4, DataType.Uint4, DataType.String]);

/**
 * The model's head for some tokens alone: the stream after the final norm, [1, R, D], to their logits, [1, R, N]. They are
 * taken from the weights where these are stored, so that no other token's are turned into numbers or multiplied.
 *
 * @param elementType of the stream
 * @returns null where the weights are stored in a way that does not allow it
 */
export function headColumns(
  topology: Topology,
  { normed, logits }: Unembedding,
  elementType: DataType,
): InstrumentedModel | null {
  const writer = new ColumnWriter(topology);
  const replace = new Map<GraphNode, readonly NodeContent[]>();
  for (let tensor = logits; tensor !== normed; ) {
    const node = topology.producer(tensor);
    const written = node === undefined ? null : writer.headNode(node);
    if (node === undefined || written === null) {
      return null;
    }
    replace.set(node, written);
    tensor = node.inputs.find((input) => !topology.isConstant(input))!;
  }
  return instrument(topology.model, {
    expose: [logits],
    keep: new Set([...replace.keys(), ...writer.constants]),
    replace,
    inputs: [
      { name: normed, elementType, dims: null },
      { name: TOKENS_INPUT, elementType: DataType.Int64, dims: null },
    ],
  });
}

/** Writes nodes that take some tokens out of weights. An axis is counted from the last, which is 1: shapes are aligned there. */
class ColumnWriter {
  /** The nodes that hold what is taken from. */
  readonly constants = new Set<GraphNode>();
  private nodes: NodeContent[] = [];
  private named = 0;

  constructor(private readonly topology: Topology) {}

  /** A node between the stream and the logits with what it needs before it; null where it cannot be written. */
  headNode(node: GraphNode): readonly NodeContent[] | null {
    this.nodes = [];
    const isProduct = node.opType === 'MatMul' || node.opType === 'FusedMatMul' || node.opType === 'Gemm';
    if (!isProduct && !ELEMENTWISE.has(node.opType)) {
      return null;
    }
    const isTransposed = isProduct && Number(node.attributes.get('transB')?.value ?? 0) === 1;
    const inputs = node.inputs.map((input, at) =>
      this.topology.isConstant(input) ? this.taken(input, isTransposed && at === 1 ? 2 : 1) : input,
    );
    return isWritten(inputs) ? [...this.nodes, nodeAgain(this.topology.model.file, node, { inputs })] : null;
  }

  /** The tokens of a constant on one of its axes; the constant itself where it is the same for all of them. */
  private taken(tensor: string, axis: number): string | null {
    const stored = this.topology.storedConstant(tensor);
    const node = this.topology.producer(tensor);
    if (stored !== null) {
      if (node !== undefined) {
        this.constants.add(node);
      }
      const extent = stored.dims.at(-axis) ?? 1;
      const isSame = extent === 1 || axis > stored.dims.length;
      return isSame ? tensor : NOT_BY_ITSELF.has(stored.dataType) ? null : this.gathered(tensor, -axis);
    }
    if (node === undefined) {
      // Left out.
      return tensor;
    }
    const inputs = this.takenInputs(node, axis);
    return isWritten(inputs) ? this.computed(node, inputs) : null;
  }

  private takenInputs(node: GraphNode, axis: number): readonly (string | null)[] {
    const { opType, inputs, attributes } = node;
    if (ELEMENTWISE.has(opType)) {
      return inputs.map((input) => this.taken(input, axis));
    }
    if (opType === 'Transpose' && String(attributes.get('perm')?.value) === '1,0') {
      return inputs.map((input) => this.taken(input, 3 - axis));
    }
    if (opType === 'DequantizeLinear') {
      return this.takenScales(node, axis);
    }
    return [null];
  }

  /** The inputs of a DequantizeLinear, whose scales are one number, one for each place on an axis, or one for each block. */
  private takenScales(
    { inputs: [weights, ...scales], attributes }: GraphNode,
    axis: number,
  ): readonly (string | null)[] {
    const rank = this.topology.storedConstant(weights)?.dims.length;
    if (rank === undefined) {
      return [null];
    }
    const own = Number(attributes.get('axis')?.value ?? 1);
    const isOwn = (own < 0 ? -own : rank - own) === axis;
    return [
      this.taken(weights, axis),
      ...scales.map((scale) => {
        const isBlocked = this.topology.storedConstant(scale)?.dims.length === rank;
        if (isBlocked) {
          return isOwn ? null : this.taken(scale, axis);
        }
        return isOwn ? this.taken(scale, 1) : scale;
      }),
    ];
  }

  private gathered(tensor: string, axis: number): string {
    const output = this.newName();
    this.nodes.push({ opType: 'Gather', inputs: [tensor, TOKENS_INPUT], outputs: [output], attributes: { axis } });
    return output;
  }

  private computed(node: GraphNode, inputs: readonly string[]): string {
    const output = this.newName();
    this.nodes.push(nodeAgain(this.topology.model.file, node, { inputs, outputs: [output] }));
    return output;
  }

  private newName(): string {
    return `${TOKENS_INPUT}/${this.named++}`;
  }
}

function isWritten(inputs: readonly (string | null)[]): inputs is readonly string[] {
  return !inputs.includes(null);
}
