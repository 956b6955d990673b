import { HeadlightError } from '../../protocol/errors';
import { encodeNode, encodeTensor, encodeValueInfo, type NodeContent, type TensorContent } from './build';
import { DataType } from './data-type';
import { constantTensor, type GraphNode, type Model, type ValueInfo } from './graph';
import type { ByteRange, ModelFile } from './model-file';
import { GraphField, ModelField, NodeField } from './schema';
import type { Scoring } from './scoring';
import type { StoredTensor } from './tensor';
import { readTensorBytes } from './tensor-bytes';
import { WeightFiles } from './weight-files';
import { WireReader, WireType, WireWriter } from './wire';

/** A model that hands out inner tensors, for a session that is created from bytes. */
export interface InstrumentedModel {
  /** The graph without its weights: those stay in the files that they are in. */
  readonly bytes: Uint8Array;
  /** Where the session has to look for those files (its `model_external_initializers_file_folder_path`). */
  readonly folder: string;
}

/** A graph without its weights is a few megabytes at most. */
const LARGEST_GRAPH = 256 * 1024 * 1024;

export interface InstrumentOptions {
  /** Names of tensors that become outputs; what is an output already is left as it is. */
  readonly expose: Iterable<string>;
  /** Where given, all other nodes are left out, and the model's own outputs too. */
  readonly keep?: ReadonlySet<GraphNode>;
  /** What is written in a node's place. */
  readonly replace?: ReadonlyMap<GraphNode, readonly NodeContent[]>;
  /** Where given, these are the inputs of the copy instead of the model's own; their shapes are left open. */
  readonly inputs?: readonly ValueInfo[];
  /** Where given, the graph goes on from this tensor with some of its rows alone. */
  readonly select?: RowSelection | null;
  /**
   * Tensors [.., T, N] of which some rows are handed out, those that a new input of the graph names, by the names that these
   * get. They stand in the order in which the graph computes them.
   */
  readonly rowsOf?: ReadonlyMap<string, string>;
  /** Where given, the graph goes on to read its logits. */
  readonly scoring?: Scoring | null;
  /** Weights that what is written in a node's place brings along, by the names they get. */
  readonly weights?: ReadonlyMap<string, StoredTensor>;
}

/** A tensor [1, T, D], or [T, D], that is cut to the rows that a new input of the graph names, before these nodes read it. */
export interface RowSelection {
  readonly tensor: string;
  readonly consumers: readonly GraphNode[];
}

/** The input of a graph with selected rows: int64 [N], each 0…T − 1. */
export const ROWS_INPUT = 'headlight.rows';
/** The input of a graph that hands out rows: int64 [N], each 0…T − 1, and empty where nothing is wanted. */
export const HANDED_ROWS_INPUT = 'headlight.handed_rows';
const SELECTED_ROWS = 'headlight.selected_rows';

/**
 * A copy of the model's graph with more outputs, whose weights are references into the model's own file. The runtime
 * maps them from there, so that they are neither copied here nor held twice.
 *
 * @throws HeadlightError `model-missing` where a file of weights is not there; `model-invalid` where it is too short or
 * outside of the model's folder; `graph-unsupported` where weights stand in the graph in a form that cannot stay there
 */
export function instrument(
  model: Model,
  {
    expose,
    keep,
    replace,
    inputs,
    select = null,
    rowsOf = new Map(),
    scoring = null,
    weights = new Map(),
  }: InstrumentOptions,
): InstrumentedModel {
  const { file } = model;
  const edits: Edits = {
    weights: replacedRecords(model),
    dropped: new Set(keep && model.graph.nodes.filter((node) => !keep.has(node)).map(({ record }) => record.offset)),
    dropOutputs: keep !== undefined,
    dropInputs: inputs !== undefined,
    nodes: new Map([
      ...[...(replace ?? [])].map(([{ record }, nodes]) => [record.offset, nodes.map(encodeNode)] as const),
      ...(select === null ? [] : rewiredNodes(file, select)),
    ]),
  };
  const writer = new WireWriter();
  const copy = new VerbatimCopy(file, writer);
  const reader = new WireReader(file, { offset: 0, length: file.size });
  while (reader.next()) {
    if (reader.field === ModelField.graph) {
      copy.flush();
      writer.message(ModelField.graph, edited(file, reader.range(), edits));
    } else {
      copy.add(reader.record());
    }
  }
  copy.flush();
  const ends = new WireWriter();
  for (const { name, elementType } of inputs ?? []) {
    ends.message(GraphField.input, encodeValueInfo({ name, ...(elementType !== null && { elementType }) }));
  }
  if (select !== null) {
    const rows = { name: ROWS_INPUT, elementType: DataType.Int64, dims: [ROWS_INPUT] };
    ends.message(GraphField.input, encodeValueInfo(rows));
  }
  if (rowsOf.size > 0) {
    const rows = { name: HANDED_ROWS_INPUT, elementType: DataType.Int64, dims: [HANDED_ROWS_INPUT] };
    ends.message(GraphField.input, encodeValueInfo(rows));
  }
  for (const input of scoring?.inputs ?? []) {
    ends.message(GraphField.input, encodeValueInfo(input));
  }
  for (const node of scoring?.nodes ?? []) {
    ends.message(GraphField.node, encodeNode(node));
  }
  for (const output of scoring?.outputs ?? []) {
    ends.message(GraphField.output, encodeValueInfo(output));
  }
  // The runtime computes what the last node of a file needs first. In this order each tensor is read as soon as it is
  // there, and its memory can be used again.
  for (const [tensor, name] of [...rowsOf].reverse()) {
    const gather = { opType: 'Gather', inputs: [tensor, HANDED_ROWS_INPUT], outputs: [name], name };
    ends.message(GraphField.node, encodeNode({ ...gather, attributes: { axis: -2 } }));
    ends.message(GraphField.output, encodeValueInfo({ name }));
  }
  const files = new WeightFiles(file);
  for (const [name, tensor] of weights) {
    const { dataType, dims } = tensor;
    const data = files.locate(tensor) ?? readTensorBytes(file, tensor);
    if (data !== null) {
      ends.message(GraphField.initializer, encodeTensor({ name, dataType, dims, data }));
    }
  }
  const present = new Set(keep ? [] : model.graph.outputs.map(({ name }) => name));
  for (const name of new Set(expose)) {
    if (!present.has(name)) {
      ends.message(GraphField.output, encodeValueInfo({ name }));
    }
  }
  // A repeated message is merged into the one before it.
  writer.message(ModelField.graph, ends);
  return { bytes: writer.finish(), folder: file.folder };
}

/** What is written instead of a weight: by where its record, or that of the Constant that gives it, starts in the file. */
function replacedRecords({ file, graph }: Model): ReadonlyMap<number, TensorContent> {
  const replaced = new Map<number, TensorContent>();
  const files = new WeightFiles(file);
  const add = (at: ByteRange, name: string, tensor: StoredTensor) => {
    const data = files.locate(tensor);
    if (data !== null) {
      replaced.set(at.offset, { name, dataType: tensor.dataType, dims: tensor.dims, data });
    }
  };
  for (const [name, tensor] of graph.initializers) {
    add(tensor.record, name, tensor);
  }
  for (const node of graph.nodes) {
    const tensor = constantTensor(node);
    if (tensor !== null && node.outputs.length === 1) {
      add(node.record, node.outputs[0], tensor);
    }
  }
  return replaced;
}

/** What is written instead of the nodes behind a selection of rows: each with the selection as its input. */
function rewiredNodes(
  file: ModelFile,
  { tensor, consumers }: RowSelection,
): ReadonlyMap<number, readonly WireWriter[]> {
  const gather = encodeNode({
    opType: 'Gather',
    inputs: [tensor, ROWS_INPUT],
    outputs: [SELECTED_ROWS],
    name: SELECTED_ROWS,
    attributes: { axis: -2 },
  });
  const first = Math.min(...consumers.map(({ record }) => record.offset));
  return new Map(
    consumers.map(({ record }) => {
      const node = new WireWriter();
      const reader = new WireReader(file, record);
      while (reader.next()) {
        if (reader.field === NodeField.input && reader.text() === tensor) {
          node.text(NodeField.input, SELECTED_ROWS);
        } else {
          node.records(file.read(reader.record()));
        }
      }
      // Before the first of them, since nodes stand in the order in which they can be computed.
      return [record.offset, record.offset === first ? [gather, node] : [node]];
    }),
  );
}

/** What is different in the copy of a graph. Records are named by where their content starts in the file. */
interface Edits {
  readonly weights: ReadonlyMap<number, TensorContent>;
  readonly dropped: ReadonlySet<number>;
  readonly dropOutputs: boolean;
  readonly dropInputs: boolean;
  /** What stands in a node's place. */
  readonly nodes: ReadonlyMap<number, readonly WireWriter[]>;
}

function edited(
  file: ModelFile,
  range: ByteRange,
  { weights, dropped, dropOutputs, dropInputs, nodes }: Edits,
): WireWriter {
  const writer = new WireWriter();
  const copy = new VerbatimCopy(file, writer);
  const reader = new WireReader(file, range);
  while (reader.next()) {
    const content = reader.type === WireType.Bytes ? reader.range().offset : -1;
    const weight = weights.get(content);
    if (weight !== undefined) {
      copy.flush();
      writer.message(GraphField.initializer, encodeTensor(weight));
      continue;
    }
    const isDroppedEnd =
      (dropOutputs && reader.field === GraphField.output) || (dropInputs && reader.field === GraphField.input);
    if (nodes.has(content) && !dropped.has(content)) {
      copy.flush();
      for (const node of nodes.get(content)!) {
        writer.message(GraphField.node, node);
      }
    } else if (!dropped.has(content) && !isDroppedEnd) {
      copy.add(reader.record());
    }
  }
  copy.flush();
  return writer;
}

/** Copies records as they are, neighbours in one go. */
class VerbatimCopy {
  private from = 0;
  private to = 0;
  private copied = 0;

  constructor(
    private readonly file: ModelFile,
    private readonly writer: WireWriter,
  ) {}

  add({ offset, length }: ByteRange): void {
    if (offset !== this.to) {
      this.flush();
      this.from = offset;
    }
    this.to = offset + length;
  }

  flush(): void {
    const length = this.to - this.from;
    this.copied += length;
    if (this.copied > LARGEST_GRAPH) {
      throw new HeadlightError(
        'graph-unsupported',
        `${this.file.path} keeps ${Math.round(this.copied / 2 ** 20)} MB of weights in between its nodes; ` +
          'export it again with raw or external tensor data.',
      );
    }
    if (length > 0) {
      this.writer.records(this.file.read({ offset: this.from, length }));
    }
    this.from = this.to;
  }
}
