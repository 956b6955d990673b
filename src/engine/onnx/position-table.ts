import { DataType } from './data-type';
import type { GraphNode } from './graph';
import { readTensorBytes } from './tensor-bytes';
import type { Topology } from './topology';

/** A table of what belongs to each position, and how many positions it has. */
export interface PositionTable {
  readonly name: string;
  readonly length: number;
}

/** Inputs of operators that turn queries and keys by tables [positions, …]. */
const ROTATION_TABLES: Readonly<Record<string, number>> = { GroupQueryAttention: 7, RotaryEmbedding: 2 };

/**
 * The longest text that a graph can read by its tables: of learned positions, of rotations, of what a query may see. Null
 * where it computes all of these as it goes.
 *
 * @param tokens the input of token ids
 * @param tokenTypes the input of the kinds of text, whose table is no table of positions
 */
export function findPositionTable(topology: Topology, tokens: string, tokenTypes: string | null): PositionTable | null {
  const tables = topology.order.flatMap((node) => tableOf(topology, node, tokens, tokenTypes) ?? []);
  return tables.reduce<PositionTable | null>(
    (shortest, table) => (shortest === null || table.length < shortest.length ? table : shortest),
    null,
  );
}

function tableOf(topology: Topology, node: GraphNode, tokens: string, tokenTypes: string | null): PositionTable | null {
  const { opType, inputs } = node;
  const rotation = inputs[ROTATION_TABLES[opType] ?? -1];
  if (rotation) {
    const length = topology.storedConstant(rotation)?.dims[0];
    return length === undefined ? null : { name: rotation, length };
  }
  const dims = inputs[0] ? topology.storedConstant(inputs[0])?.dims : undefined;
  if (dims === undefined || inputs.slice(1).every((input) => topology.isConstant(input))) {
    return null;
  }
  if (opType === 'Slice' && isTriangle(dims)) {
    return { name: inputs[0], length: dims[3] };
  }
  const isLearned = opType === 'Gather' && dims.length === 2 && !isRead(topology, inputs[1], tokens, tokenTypes);
  return isLearned ? { name: inputs[0], length: dims[0] - offsetOf(topology, inputs[1]) } : null;
}

/** [1, 1, N, N]: what each token may see of the others. */
function isTriangle(dims: readonly number[]): boolean {
  return dims.length === 4 && dims[0] === 1 && dims[1] === 1 && dims[2] === dims[3] && dims[3] > 1;
}

/** Whether an index is a text's tokens, or their kinds, in another shape at most. */
function isRead(topology: Topology, index: string, tokens: string, tokenTypes: string | null): boolean {
  let name = index;
  for (let node = topology.producer(name); node !== undefined; node = topology.producer(name)) {
    if (!['Cast', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze'].includes(node.opType)) {
      return false;
    }
    name = node.inputs[0];
  }
  return name === tokens || name === tokenTypes;
}

/** Rows before that of the first position: OPT looks up position + 2. */
function offsetOf(topology: Topology, index: string): number {
  const node = topology.producer(index);
  for (const input of node?.opType === 'Add' ? node.inputs : []) {
    const stored = topology.storedConstant(input);
    const bytes = stored?.dataType === DataType.Int64 ? readTensorBytes(topology.model.file, stored) : null;
    if (bytes?.length === 8) {
      return Number(Buffer.from(bytes).readBigInt64LE());
    }
  }
  return 0;
}
