import { dataTypeName, rawByteLength } from './data-type';
import type { ByteRange, ModelFile } from './model-file';
import { EntryField, EXTERNAL_LOCATION, TensorField } from './schema';
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
