import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { HeadlightError } from '../../protocol/errors';
import { encodeTensor, encodeValueInfo, type TensorContent } from './build';
import { rawByteLength } from './data-type';
import { constantTensor, type GraphNode, type Model } from './graph';
import type { ByteRange, ModelFile } from './model-file';
import { GraphField, ModelField } from './schema';
import type { StoredTensor } from './tensor';
import { WireReader, WireType, WireWriter } from './wire';

/** A model that hands out inner tensors, for a session that is created from bytes. */
export interface InstrumentedModel {
  /** The graph without its weights: those stay in the files that they are in. */
  readonly bytes: Uint8Array;
  /** Where the session has to look for those files (its `model_external_initializers_file_folder_path`). */
  readonly folder: string;
}

/** Smaller tensors stay in the graph: axes, shapes and scales, which the runtime wants to see while it optimises. */
const SMALLEST_EXTERNAL = 1024;
/** A graph without its weights is a few megabytes at most. */
const LARGEST_GRAPH = 256 * 1024 * 1024;

export interface InstrumentOptions {
  /** Names of tensors that become outputs; what is an output already is left as it is. */
  readonly expose: Iterable<string>;
  /** Where given, all other nodes are left out, and the model's own outputs too. */
  readonly keep?: ReadonlySet<GraphNode>;
}

/**
 * A copy of the model's graph with more outputs, whose weights are references into the model's own file. The runtime
 * maps them from there, so that they are neither copied here nor held twice.
 *
 * @throws HeadlightError `model-missing` where a file of weights is not there; `model-invalid` where it is too short or
 * outside of the model's folder; `graph-unsupported` where weights stand in the graph in a form that cannot stay there
 */
export function instrument(model: Model, { expose, keep }: InstrumentOptions): InstrumentedModel {
  const { file } = model;
  const edits: Edits = {
    weights: replacedRecords(model),
    dropped: new Set(keep && model.graph.nodes.filter((node) => !keep.has(node)).map(({ record }) => record.offset)),
    dropOutputs: keep !== undefined,
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
  const outputs = new WireWriter();
  const present = new Set(keep ? [] : model.graph.outputs.map(({ name }) => name));
  for (const name of new Set(expose)) {
    if (!present.has(name)) {
      outputs.message(GraphField.output, encodeValueInfo({ name }));
    }
  }
  // A repeated message is merged into the one before it.
  writer.message(ModelField.graph, outputs);
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

/** What is different in the copy of a graph. Records are named by where their content starts in the file. */
interface Edits {
  readonly weights: ReadonlyMap<number, TensorContent>;
  readonly dropped: ReadonlySet<number>;
  readonly dropOutputs: boolean;
}

function edited(file: ModelFile, range: ByteRange, { weights, dropped, dropOutputs }: Edits): WireWriter {
  const writer = new WireWriter();
  const copy = new VerbatimCopy(file, writer);
  const reader = new WireReader(file, range);
  while (reader.next()) {
    const content = reader.type === WireType.Bytes ? reader.range().offset : -1;
    const weight = weights.get(content);
    if (weight !== undefined) {
      copy.flush();
      writer.message(GraphField.initializer, encodeTensor(weight));
    } else if (!dropped.has(content) && !(dropOutputs && reader.field === GraphField.output)) {
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

/** The files that a model's weights are in. */
class WeightFiles {
  private readonly known = new Map<string, { readonly location: string; readonly size: number }>();

  constructor(private readonly file: ModelFile) {}

  /** Where the runtime finds the tensor's numbers; null where it stays in the graph. */
  locate(tensor: StoredTensor): Exclude<TensorContent['data'], Uint8Array> | null {
    const { data } = tensor;
    switch (data.kind) {
      case 'records':
        return null;
      case 'raw':
        return data.range.length < SMALLEST_EXTERNAL
          ? null
          : { location: path.basename(this.file.realPath), ...data.range };
      case 'external': {
        const { location, size } = this.find(data.location, tensor.name);
        const length = data.length ?? rawByteLength(tensor.dataType, tensor.dims) ?? size - data.offset;
        if (data.offset + length > size) {
          throw new HeadlightError(
            'model-invalid',
            `${path.join(this.file.folder, location)} ends before the weights of "${tensor.name}" do; ` +
              'its download is not complete, so fetch it again.',
          );
        }
        return { location, offset: data.offset, length };
      }
    }
  }

  /** Follows links: in a download cache both files are links into one folder, under other names. */
  private find(location: string, tensor: string): { readonly location: string; readonly size: number } {
    const known = this.known.get(location);
    if (known !== undefined) {
      return known;
    }
    const named = path.join(path.dirname(this.file.path), location);
    let real: string;
    let size: number;
    try {
      real = realpathSync(named);
      size = statSync(real).size;
    } catch (cause) {
      throw new HeadlightError(
        'model-missing',
        `${named} is not there, but ${path.basename(this.file.path)} keeps weights such as "${tensor}" in it; ` +
          'put it beside the model.',
        { cause },
      );
    }
    const relative = path.relative(this.file.folder, real);
    if (relative.startsWith('..') || path.isAbsolute(relative)) {
      throw this.file.invalid(`keeps "${tensor}" in ${real}, which is outside of the model's folder`);
    }
    const found = { location: relative.split(path.sep).join('/'), size };
    this.known.set(location, found);
    return found;
  }
}
