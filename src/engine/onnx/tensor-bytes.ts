import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { DataType, rawByteLength } from './data-type';
import type { ModelFile } from './model-file';
import { TensorField } from './schema';
import type { StoredTensor } from './tensor';
import { WeightFiles } from './weight-files';
import { WireReader, WireType } from './wire';

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
