import { type NodeContent, nodeAgain } from './build';
import type { GraphNode } from './graph';
import { OperatorWriter } from './operator-writer';
import type { Topology } from './topology';

/** An operator that sums up before it norms, as ordinary nodes. */
export interface SummedNorm {
  readonly nodes: readonly NodeContent[];
  /** What it norms: the residual stream. */
  readonly sum: string;
  /** The operator handing out that sum; null where it does already. */
  readonly summing: NodeContent | null;
}

/** Both operators' own, where none is given; a norm alone has another. */
const DEFAULT_EPSILON = 1e-12;
const SKIP_NORMS: Readonly<Record<string, string>> = {
  SkipLayerNormalization: 'LayerNormalization',
  SkipSimplifiedLayerNormalization: 'SimplifiedLayerNormalization',
};
/** Which of their outputs is the sum. */
const SKIP_SUM = 3;
const EMBEDDING_SUM = 2;
/** The texts' lengths by a mask: nothing that a decoder of one text goes on with. */
const EMBEDDING_LENGTHS = 1;

/** @returns null for any other operator */
export function summedNorm(topology: Topology, node: GraphNode): SummedNorm | null {
  if (node.domain !== 'com.microsoft') {
    return null;
  }
  if (node.opType in SKIP_NORMS) {
    return skipNorm(topology, node);
  }
  const isEmbedding = node.opType === 'EmbedLayerNormalization';
  return isEmbedding && topology.consumers(node.outputs[EMBEDDING_LENGTHS] ?? '').length === 0
    ? embeddingNorm(topology, node)
    : null;
}

/** Adds what is new to the stream, and norms it. */
function skipNorm(topology: Topology, node: GraphNode): SummedNorm {
  const writer = new OperatorWriter(topology, node);
  const isSimplified = node.opType === 'SkipSimplifiedLayerNormalization';
  const [input, skip, gain, ...others] = node.inputs;
  const [shift, bias] = isSimplified ? ['', others[0] ?? ''] : [others[0] ?? '', others[1] ?? ''];
  const biased = bias ? writer.op('biased', 'Add', [input, bias]) : input;
  return normed(writer, node, [biased, skip], [gain, shift], SKIP_NORMS[node.opType], SKIP_SUM);
}

/** Looks up the rows of tokens, positions and kinds of text, and norms their sum: how ONNX Runtime's optimizer begins a model. */
function embeddingNorm(topology: Topology, node: GraphNode): SummedNorm {
  const writer = new OperatorWriter(topology, node);
  const [tokens, kinds, tokenTable, positionTable, kindTable, gain, shift, , told] = node.inputs;
  const rows = writer.op('token_rows', 'Gather', [tokenTable, tokens]);
  const positions = told || writer.positions('positions', tokens);
  const placed = writer.op('position_rows', 'Gather', [positionTable, positions]);
  const terms =
    kinds && kindTable
      ? [writer.op('placed_rows', 'Add', [rows, placed]), writer.op('kind_rows', 'Gather', [kindTable, kinds])]
      : [rows, placed];
  return normed(writer, node, terms, [gain, shift], 'LayerNormalization', EMBEDDING_SUM);
}

function normed(
  writer: OperatorWriter,
  node: GraphNode,
  terms: readonly string[],
  weights: readonly string[],
  norm: string,
  place: number,
): SummedNorm {
  const given = node.outputs[place] ?? '';
  const sum = given || writer.named('sum');
  const epsilon = Number(node.attributes.get('epsilon')?.value ?? DEFAULT_EPSILON);
  return {
    nodes: [
      ...writer.nodes,
      { opType: 'Add', inputs: terms, outputs: [sum] },
      {
        opType: norm,
        inputs: [sum, ...weights.filter((weight) => weight !== '')],
        outputs: [node.outputs[0]],
        attributes: { axis: -1, epsilon: { float: epsilon } },
      },
    ],
    sum,
    summing: given ? null : withOutput(writer, node, place, sum),
  };
}

/** The same operator with one output more. */
function withOutput({ topology }: OperatorWriter, node: GraphNode, place: number, output: string): NodeContent {
  const outputs = Array.from({ length: place }, (_, index) => node.outputs[index] ?? '');
  return nodeAgain(topology.model.file, node, { name: node.name, outputs: [...outputs, output] });
}
