import type { DataType } from './data-type';
import type { GraphNode } from './graph';
import type { ModelFile } from './model-file';
import {
  AttributeField,
  AttributeType,
  DimensionField,
  EntryField,
  EXTERNAL_LOCATION,
  GraphField,
  ModelField,
  NodeField,
  OpsetField,
  ShapeField,
  TensorField,
  TensorTypeField,
  TypeField,
  ValueField,
} from './schema';
import { WireWriter } from './wire';

/** A tensor to write. */
export interface TensorContent {
  readonly name: string;
  readonly dataType: DataType;
  readonly dims: readonly number[];
  /** The numbers, little-endian and dense, or where they are: a file beside the model. */
  readonly data: Uint8Array | { readonly location: string; readonly offset: number; readonly length: number };
}

/** An attribute to write: an integer or a list of them, a text, a float, a tensor, or a graph. */
export type AttributeContent =
  | number
  | readonly number[]
  | string
  | { readonly float: number }
  | { readonly tensor: TensorContent }
  | { readonly graph: GraphContent };

export interface NodeContent {
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly domain?: string;
  readonly name?: string;
  readonly attributes?: Readonly<Record<string, AttributeContent>>;
  /** Attributes that are encoded already, each a whole AttributeProto. */
  readonly encodedAttributes?: readonly Uint8Array[];
}

/** A node of a model, to be written again: its attributes as they stand in the file, the rest as `changed` has it. */
export function nodeAgain(
  file: ModelFile,
  { opType, domain, inputs, outputs, attributes }: GraphNode,
  changed: Partial<Pick<NodeContent, 'name' | 'inputs' | 'outputs'>> = {},
): NodeContent {
  const encodedAttributes = [...attributes.values()].map(({ record }) => file.read(record));
  return { opType, domain, inputs, outputs, encodedAttributes, ...changed };
}

export interface ValueContent {
  readonly name: string;
  /** Left out for outputs: the runtime infers it. */
  readonly elementType?: DataType | number;
  /** A size, or the name of an open one; left out where even the number of dimensions is open. */
  readonly dims?: readonly (number | string)[];
}

export interface GraphContent {
  readonly name?: string;
  readonly nodes: readonly NodeContent[];
  readonly inputs: readonly ValueContent[];
  readonly outputs: readonly ValueContent[];
  readonly initializers?: readonly TensorContent[];
}

export interface ModelContent {
  readonly irVersion: number;
  /** Version by domain; '' is the standard operators' domain. */
  readonly opsets: Iterable<readonly [domain: string, version: number]>;
  readonly producer?: string;
  readonly graph: GraphContent;
}

/** A whole model file. Take `finish()` of it, or `chunks()` where the weights are large. */
export function encodeModel({ irVersion, opsets, producer, graph }: ModelContent): WireWriter {
  const writer = new WireWriter().integer(ModelField.irVersion, irVersion);
  writer.text(ModelField.producerName, producer ?? 'headlight').message(ModelField.graph, encodeGraph(graph));
  for (const [domain, version] of opsets) {
    const opset = new WireWriter().text(OpsetField.domain, domain).integer(OpsetField.version, version);
    writer.message(ModelField.opsetImport, opset);
  }
  return writer;
}

function encodeGraph({ name, nodes, inputs, outputs, initializers = [] }: GraphContent): WireWriter {
  const writer = new WireWriter();
  for (const node of nodes) {
    writer.message(GraphField.node, encodeNode(node));
  }
  writer.text(GraphField.name, name ?? 'graph');
  for (const tensor of initializers) {
    writer.message(GraphField.initializer, encodeTensor(tensor));
  }
  for (const input of inputs) {
    writer.message(GraphField.input, encodeValueInfo(input));
  }
  for (const output of outputs) {
    writer.message(GraphField.output, encodeValueInfo(output));
  }
  return writer;
}

/** A TensorProto. */
export function encodeTensor({ name, dataType, dims, data }: TensorContent): WireWriter {
  const writer = new WireWriter();
  for (const dim of dims) {
    writer.integer(TensorField.dims, dim);
  }
  writer.integer(TensorField.dataType, dataType).text(TensorField.name, name);
  if (data instanceof Uint8Array) {
    return writer.bytes(TensorField.rawData, data);
  }
  for (const [key, value] of Object.entries(data)) {
    writer.message(
      TensorField.externalData,
      new WireWriter().text(EntryField.key, key).text(EntryField.value, `${value}`),
    );
  }
  return writer.integer(TensorField.dataLocation, EXTERNAL_LOCATION);
}

/** A ValueInfoProto. */
export function encodeValueInfo({ name, elementType, dims }: ValueContent): WireWriter {
  const writer = new WireWriter().text(ValueField.name, name);
  if (elementType === undefined) {
    return writer;
  }
  const tensor = new WireWriter().integer(TensorTypeField.elementType, elementType);
  if (dims !== undefined) {
    const shape = new WireWriter();
    for (const dim of dims) {
      const dimension = new WireWriter();
      shape.message(
        ShapeField.dimension,
        typeof dim === 'number'
          ? dimension.integer(DimensionField.value, dim)
          : dimension.text(DimensionField.parameter, dim),
      );
    }
    tensor.message(TensorTypeField.shape, shape);
  }
  return writer.message(ValueField.type, new WireWriter().message(TypeField.tensor, tensor));
}

/** A NodeProto. */
export function encodeNode({
  opType,
  inputs,
  outputs,
  domain,
  name,
  attributes = {},
  encodedAttributes = [],
}: NodeContent): WireWriter {
  const writer = new WireWriter();
  for (const input of inputs) {
    writer.text(NodeField.input, input);
  }
  for (const output of outputs) {
    writer.text(NodeField.output, output);
  }
  if (name) {
    writer.text(NodeField.name, name);
  }
  writer.text(NodeField.opType, opType);
  for (const [attribute, value] of Object.entries(attributes)) {
    writer.message(NodeField.attribute, encodeAttribute(attribute, value));
  }
  for (const attribute of encodedAttributes) {
    writer.bytes(NodeField.attribute, attribute);
  }
  if (domain) {
    writer.text(NodeField.domain, domain);
  }
  return writer;
}

function encodeAttribute(name: string, value: AttributeContent): WireWriter {
  const writer = new WireWriter().text(AttributeField.name, name);
  const typed = (type: number) => writer.integer(AttributeField.type, type);
  if (typeof value === 'number') {
    return typed(AttributeType.integer).integer(AttributeField.integer, value);
  }
  if (typeof value === 'string') {
    return typed(AttributeType.text).text(AttributeField.text, value);
  }
  if ('float' in value) {
    return typed(AttributeType.float).float(AttributeField.float, value.float);
  }
  if ('tensor' in value) {
    return typed(AttributeType.tensor).message(AttributeField.tensor, encodeTensor(value.tensor));
  }
  if ('graph' in value) {
    return typed(AttributeType.graph).message(AttributeField.graph, encodeGraph(value.graph));
  }
  for (const integer of value) {
    writer.integer(AttributeField.integers, integer);
  }
  return typed(AttributeType.integers);
}
