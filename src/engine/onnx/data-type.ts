/** `TensorProto.DataType`. */
export enum DataType {
  Float32 = 1,
  Uint8 = 2,
  Int8 = 3,
  Uint16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  String = 8,
  Bool = 9,
  Float16 = 10,
  Float64 = 11,
  Uint32 = 12,
  Uint64 = 13,
  BFloat16 = 16,
  Uint4 = 21,
  Int4 = 22,
}

const BITS: Readonly<Partial<Record<number, number>>> = {
  [DataType.Float32]: 32,
  [DataType.Uint8]: 8,
  [DataType.Int8]: 8,
  [DataType.Uint16]: 16,
  [DataType.Int16]: 16,
  [DataType.Int32]: 32,
  [DataType.Int64]: 64,
  [DataType.Bool]: 8,
  [DataType.Float16]: 16,
  [DataType.Float64]: 64,
  [DataType.Uint32]: 32,
  [DataType.Uint64]: 64,
  [DataType.BFloat16]: 16,
  [DataType.Uint4]: 4,
  [DataType.Int4]: 4,
};

/** Size of a tensor's raw data, in bytes; null for types that have no fixed size or are not known here. */
export function rawByteLength(dataType: number, dims: readonly number[]): number | null {
  const bits = BITS[dataType];
  return bits === undefined ? null : Math.ceil((dims.reduce((product, dim) => product * dim, 1) * bits) / 8);
}

/** A type's name as ONNX tools write it, such as `float32`. */
export function dataTypeName(dataType: number): string {
  return DataType[dataType]?.toLowerCase() ?? `type ${dataType}`;
}

/** Whether weights of this type are floating-point numbers. */
export function isFloat(dataType: number): boolean {
  return (
    dataType === DataType.Float32 ||
    dataType === DataType.Float16 ||
    dataType === DataType.BFloat16 ||
    dataType === DataType.Float64
  );
}
