import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { DataType, dataTypeName, rawByteLength } from './data-type';
import type { ByteRange, ModelFile } from './model-file';
import { EntryField, EXTERNAL_LOCATION, TensorField } from './schema';
import { WeightFiles } from './weight-files';
import { WireReader, WireType } from './wire';

/** Where a tensor's numbers are. */
export type TensorData =
  /** In this file, little-endian and dense. */
  | { readonly kind: 'raw'; readonly range: ByteRange }
  /** In this file, one protobuf record a number. */
  | { readonly kind: 'records' }
  /** In another file, named relative to the model's folder. `length` is null where the rest of that file is meant. */
  | { readonly kind: 'external'; readonly location: string; readonly offset: number; readonly length: number | null };

/** A tensor of a model file: what it is and where its numbers are, without them. */
export interface StoredTensor {
  readonly name: string;
  readonly dims: readonly number[];
  /** A `DataType`, or a number this version does not know. */
  readonly dataType: number;
  readonly data: TensorData;
  /** The whole TensorProto. */
  readonly record: ByteRange;
}

/** More dimensions than any operator takes. */
const MOST_DIMS = 64;

/** Reads a TensorProto up to its numbers. */
export function readStoredTensor(file: ModelFile, record: ByteRange, depth: number): StoredTensor {
  const reader = new WireReader(file, record, depth);
  const dims: number[] = [];
  const dense: ByteRange[] = [];
  const external = new Map<string, string>();
  let name = '';
  let dataType = 0;
  let isExternal = false;
  let hasRecords = false;
  while (reader.next()) {
    switch (reader.field) {
      case TensorField.dims:
        for (const dim of reader.integers()) {
          if (dim < 0 || dims.push(dim) > MOST_DIMS) {
            throw file.invalid(`has a tensor with impossible dimensions at byte ${record.offset}`);
          }
        }
        break;
      case TensorField.dataType:
        dataType = reader.integer();
        break;
      case TensorField.name:
        name = reader.text();
        break;
      case TensorField.rawData:
        dense.push(reader.range());
        break;
      case TensorField.floatData:
      case TensorField.doubleData:
        // A packed list of floats is the same bytes as raw data.
        if (reader.type === WireType.Bytes) {
          dense.push(reader.range());
        } else {
          hasRecords = true;
        }
        break;
      case TensorField.int32Data:
      case TensorField.int64Data:
      case TensorField.uint64Data:
      case TensorField.stringData:
        hasRecords = true;
        break;
      case TensorField.externalData:
        readEntry(reader.message(), external);
        break;
      case TensorField.dataLocation:
        isExternal = reader.integer() === EXTERNAL_LOCATION;
        break;
    }
  }
  const bytes = rawByteLength(dataType, dims);
  if (bytes !== null && !Number.isSafeInteger(bytes)) {
    throw file.invalid(`has a tensor "${name}" with impossible dimensions`);
  }
  if (isExternal) {
    return { name, dims, dataType, data: externalData(file, name, external), record };
  }
  if (hasRecords || dense.length !== 1) {
    return { name, dims, dataType, data: { kind: 'records' }, record };
  }
  const range = dense[0];
  if (bytes !== null && bytes !== range.length) {
    throw file.invalid(
      `has a tensor "${name}" of ${dataTypeName(dataType)} [${dims}] with ${range.length} bytes instead of ${bytes}`,
    );
  }
  return { name, dims, dataType, data: { kind: 'raw', range }, record };
}

/**
 * The numbers of a tensor that is not too large to hold, little-endian and dense.
 *
 * @returns null where they are text
 * @throws HeadlightError `model-missing` where they are in a file that is not there, `model-invalid` where that is too
 * short or outside of the model's folder
 */
export function readTensorBytes(file: ModelFile, tensor: StoredTensor): Uint8Array | null {
  if (tensor.dataType === DataType.String) {
    return null;
  }
  if (tensor.data.kind === 'external') {
    return readExternal(file, tensor);
  }
  if (tensor.data.kind === 'raw') {
    return file.read(tensor.data.range);
  }
  const byteLength = rawByteLength(tensor.dataType, tensor.dims);
  if (byteLength === null) {
    return null;
  }
  const count = tensor.dims.reduce((product, dim) => product * dim, 1);
  const size = byteLength / Math.max(1, count);
  const numbers: Buffer[] = [];
  for (const number of readNumbers(new WireReader(file, tensor.record), tensor.dataType, size)) {
    if (numbers.push(number) > count) {
      break;
    }
  }
  if (numbers.length !== count) {
    throw file.invalid(`has a tensor "${tensor.name}" of [${tensor.dims}] that does not hold ${count} numbers`);
  }
  return Buffer.concat(numbers);
}

function readExternal(file: ModelFile, tensor: StoredTensor): Uint8Array | null {
  const found = new WeightFiles(file).locate(tensor);
  if (found === null) {
    return null;
  }
  const bytes = Buffer.alloc(found.length);
  const descriptor = openSync(path.join(file.folder, found.location), 'r');
  try {
    readSync(descriptor, bytes, 0, found.length, found.offset);
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

function* readNumbers(reader: WireReader, dataType: number, size: number): Generator<Buffer> {
  while (reader.next()) {
    switch (reader.field) {
      case TensorField.floatData:
        if (reader.type === WireType.Bytes) {
          const packed = reader.file.read(reader.range());
          for (let at = 0; at + size <= packed.length; at += size) {
            yield packed.subarray(at, at + size);
          }
        } else {
          const bytes = Buffer.alloc(4);
          bytes.writeFloatLE(reader.float());
          yield bytes;
        }
        break;
      case TensorField.int32Data:
      case TensorField.int64Data:
      case TensorField.uint64Data:
        if (dataType !== DataType.Float32 && dataType !== DataType.Float64) {
          for (const number of reader.bigIntegers()) {
            const bytes = Buffer.alloc(8);
            bytes.writeBigInt64LE(number);
            yield bytes.subarray(0, size);
          }
        }
        break;
    }
  }
}

function readEntry(reader: WireReader, entries: Map<string, string>): void {
  let key = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === EntryField.key) {
      key = reader.text();
    } else if (reader.field === EntryField.value) {
      value = reader.text();
    }
  }
  entries.set(key, value);
}

function externalData(file: ModelFile, name: string, entries: ReadonlyMap<string, string>): TensorData {
  const location = entries.get('location') ?? '';
  const offset = Number(entries.get('offset') ?? 0);
  const length = entries.has('length') ? Number(entries.get('length')) : null;
  if (location === '' || !isSize(offset) || (length !== null && !isSize(length))) {
    throw file.invalid(`does not say where the numbers of "${name}" are`);
  }
  if (/^([\\/]|[a-z]:)/i.test(location) || location.split(/[\\/]/).includes('..')) {
    throw file.invalid(`keeps "${name}" in ${location}, which is outside of the model's folder`);
  }
  return { kind: 'external', location, offset, length };
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
