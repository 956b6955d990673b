import type { ByteRange, ModelFile } from './model-file';
import {
  AttributeField,
  AttributeType,
  DimensionField,
  GraphField,
  ModelField,
  NodeField,
  OpsetField,
  ShapeField,
  TensorTypeField,
  TypeField,
  ValueField,
} from './schema';
import { readStoredTensor, type StoredTensor } from './tensor';
import { WireReader } from './wire';

/** A model file without its weights: what is computed, from what, and where in the file it stands. */
export interface Model {
  readonly file: ModelFile;
  readonly irVersion: number;
  readonly producer: string;
  /** Version by domain; '' is the standard operators' domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: Graph;
  /** Operators that the model defines itself, out of others. */
  readonly functionCount: number;
}

export interface Graph {
  readonly name: string;
  /** In the order of the file. */
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, StoredTensor>;
}

export interface GraphNode {
  readonly opType: string;
  /** '' for the standard operators. */
  readonly domain: string;
  readonly name: string;
  /** Tensor names; '' where an optional one is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** The whole NodeProto. */
  readonly record: ByteRange;
}

export interface Attribute {
  /** Null for kinds that no decoder uses. */
  readonly value: number | string | readonly number[] | StoredTensor | Graph | null;
  /** The whole AttributeProto. */
  readonly record: ByteRange;
}

/** An input or output of a graph. */
export interface ValueInfo {
  readonly name: string;
  /** A `DataType`; null where it is not declared or not a tensor. */
  readonly elementType: number | null;
  /** A size, the name of a size that is open, or null for one without a name. Null as a whole without a declared shape. */
  readonly dims: readonly (number | string | null)[] | null;
}

const MOST_NODES = 100_000;
const MOST_INITIALIZERS = 200_000;
/** Longest list of numbers in an attribute; more than that is data, which no operator of a decoder has in an attribute. */
const MOST_NUMBERS = 65_536;
const LFS_POINTER = 'version https://git-lfs';

/** @throws HeadlightError `model-invalid` where the file is not a whole and sound ONNX model */
export function readModel(file: ModelFile): Model {
  if (file.size === 0) {
    throw file.invalid('is empty');
  }
  const start = file.read({ offset: 0, length: Math.min(file.size, LFS_POINTER.length) });
  if (start.toString('latin1') === LFS_POINTER) {
    throw file.invalid('is a pointer of Git LFS and not the model it points to');
  }
  const reader = new WireReader(file, { offset: 0, length: file.size });
  const graph = new GraphContent();
  const opsets = new Map<string, number>();
  let irVersion = 0;
  let producer = '';
  let functionCount = 0;
  let hasGraph = false;
  while (reader.next()) {
    switch (reader.field) {
      case ModelField.irVersion:
        irVersion = reader.integer();
        break;
      case ModelField.producerName:
        producer = reader.text();
        break;
      case ModelField.opsetImport:
        readOpset(reader.message(), opsets);
        break;
      case ModelField.graph:
        // A repeated message is merged: that is how an output can be appended to a finished file.
        readGraphInto(reader.message(), graph, 1);
        hasGraph = true;
        break;
      case ModelField.functions:
        reader.range();
        functionCount++;
        break;
    }
  }
  if (!hasGraph) {
    throw file.invalid('has no graph in it');
  }
  return { file, irVersion, producer, opsets, graph, functionCount };
}

class GraphContent implements Graph {
  name = '';
  readonly nodes: GraphNode[] = [];
  readonly inputs: ValueInfo[] = [];
  readonly outputs: ValueInfo[] = [];
  readonly initializers = new Map<string, StoredTensor>();
}

function readGraphInto(reader: WireReader, graph: GraphContent, depth: number): void {
  const { file } = reader;
  while (reader.next()) {
    switch (reader.field) {
      case GraphField.node:
        if (graph.nodes.push(readNode(file, reader.range(), depth + 1)) > MOST_NODES) {
          throw file.invalid(`has more than ${MOST_NODES} nodes`);
        }
        break;
      case GraphField.name:
        graph.name = reader.text();
        break;
      case GraphField.initializer: {
        const tensor = readStoredTensor(file, reader.range(), depth + 1);
        graph.initializers.set(tensor.name, tensor);
        if (graph.initializers.size > MOST_INITIALIZERS) {
          throw file.invalid(`has more than ${MOST_INITIALIZERS} weights`);
        }
        break;
      }
      case GraphField.input:
        graph.inputs.push(readValueInfo(reader.message()));
        break;
      case GraphField.output:
        graph.outputs.push(readValueInfo(reader.message()));
        break;
    }
  }
}

function readNode(file: ModelFile, record: ByteRange, depth: number): GraphNode {
  const reader = new WireReader(file, record, depth);
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  let name = '';
  let opType = '';
  let domain = '';
  while (reader.next()) {
    switch (reader.field) {
      case NodeField.input:
        inputs.push(reader.text());
        break;
      case NodeField.output:
        outputs.push(reader.text());
        break;
      case NodeField.name:
        name = reader.text();
        break;
      case NodeField.opType:
        opType = reader.text();
        break;
      case NodeField.domain:
        domain = reader.text();
        break;
      case NodeField.attribute:
        readAttributeInto(attributes, file, reader.range(), depth + 1);
        break;
    }
  }
  return { opType, domain: domain === 'ai.onnx' ? '' : domain, name, inputs, outputs, attributes, record };
}

function readAttributeInto(
  attributes: Map<string, Attribute>,
  file: ModelFile,
  record: ByteRange,
  depth: number,
): void {
  const reader = new WireReader(file, record, depth);
  const numbers: number[] = [];
  let name = '';
  let type = 0;
  let single: Attribute['value'] = null;
  let graph: GraphContent | null = null;
  const add = (number: number) => {
    if (numbers.push(number) > MOST_NUMBERS) {
      throw file.invalid(`has a list of more than ${MOST_NUMBERS} numbers as an attribute at byte ${record.offset}`);
    }
  };
  while (reader.next()) {
    switch (reader.field) {
      case AttributeField.name:
        name = reader.text();
        break;
      case AttributeField.type:
        type = reader.integer();
        break;
      case AttributeField.float:
        single = reader.float();
        break;
      case AttributeField.integer:
        single = reader.integer();
        break;
      case AttributeField.text:
        single = reader.text();
        break;
      case AttributeField.tensor:
        single = readStoredTensor(file, reader.range(), depth + 1);
        break;
      case AttributeField.graph:
        graph ??= new GraphContent();
        readGraphInto(reader.message(), graph, depth + 1);
        break;
      case AttributeField.integers:
        for (const number of reader.integers()) {
          add(number);
        }
        break;
      case AttributeField.floats:
        for (const number of reader.floats()) {
          add(number);
        }
        break;
    }
  }
  const isList = type === AttributeType.integers || type === AttributeType.floats;
  attributes.set(name, { value: isList ? numbers : (graph ?? single), record });
}

function readValueInfo(reader: WireReader): ValueInfo {
  let name = '';
  let elementType: number | null = null;
  let dims: ValueInfo['dims'] = null;
  while (reader.next()) {
    if (reader.field === ValueField.name) {
      name = reader.text();
    } else if (reader.field === ValueField.type) {
      const type = reader.message();
      while (type.next()) {
        if (type.field === TypeField.tensor) {
          const tensor = type.message();
          while (tensor.next()) {
            if (tensor.field === TensorTypeField.elementType) {
              elementType = tensor.integer();
            } else if (tensor.field === TensorTypeField.shape) {
              dims = readShape(tensor.message());
            }
          }
        }
      }
    }
  }
  return { name, elementType, dims };
}

function readShape(reader: WireReader): (number | string | null)[] {
  const dims: (number | string | null)[] = [];
  while (reader.next()) {
    if (reader.field === ShapeField.dimension) {
      const dimension = reader.message();
      let size: number | string | null = null;
      while (dimension.next()) {
        if (dimension.field === DimensionField.value) {
          const value = dimension.integer();
          size = value >= 0 ? value : null;
        } else if (dimension.field === DimensionField.parameter) {
          size = dimension.text() || null;
        }
      }
      dims.push(size);
    }
  }
  return dims;
}

function readOpset(reader: WireReader, opsets: Map<string, number>): void {
  let domain = '';
  let version = 0;
  while (reader.next()) {
    if (reader.field === OpsetField.domain) {
      domain = reader.text();
    } else if (reader.field === OpsetField.version) {
      version = reader.integer();
    }
  }
  opsets.set(domain === 'ai.onnx' ? '' : domain, version);
}

/** The tensor that a Constant node gives; null for every other node. */
export function constantTensor({ opType, domain, attributes }: GraphNode): StoredTensor | null {
  const value = opType === 'Constant' && domain === '' ? attributes.get('value')?.value : null;
  return typeof value === 'object' && value !== null && 'dataType' in value ? value : null;
}

/** The graphs inside a node: the branches of an If, the body of a Loop. */
export function subgraphs({ attributes }: GraphNode): readonly Graph[] {
  const graphs: Graph[] = [];
  for (const { value } of attributes.values()) {
    if (typeof value === 'object' && value !== null && 'nodes' in value) {
      graphs.push(value);
    }
  }
  return graphs;
}
