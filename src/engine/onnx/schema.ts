/** Record numbers of onnx.proto, message by message: those that are read or written here. */

export const ModelField = {
  irVersion: 1,
  producerName: 2,
  graph: 7,
  opsetImport: 8,
  functions: 25,
} as const;

export const OpsetField = { domain: 1, version: 2 } as const;

export const GraphField = {
  node: 1,
  name: 2,
  initializer: 5,
  input: 11,
  output: 12,
} as const;

export const NodeField = {
  input: 1,
  output: 2,
  name: 3,
  opType: 4,
  attribute: 5,
  domain: 7,
} as const;

export const AttributeField = {
  name: 1,
  float: 2,
  integer: 3,
  text: 4,
  tensor: 5,
  graph: 6,
  floats: 7,
  integers: 8,
  graphs: 11,
  type: 20,
} as const;

export const AttributeType = { float: 1, integer: 2, text: 3, tensor: 4, graph: 5, floats: 6, integers: 7 } as const;

export const TensorField = {
  dims: 1,
  dataType: 2,
  floatData: 4,
  int32Data: 5,
  stringData: 6,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  externalData: 13,
  dataLocation: 14,
} as const;

/** `TensorProto.DataLocation.EXTERNAL` */
export const EXTERNAL_LOCATION = 1;

export const EntryField = { key: 1, value: 2 } as const;

export const ValueField = { name: 1, type: 2 } as const;

export const TypeField = { tensor: 1 } as const;

export const TensorTypeField = { elementType: 1, shape: 2 } as const;

export const ShapeField = { dimension: 1 } as const;

export const DimensionField = { value: 1, parameter: 2 } as const;
