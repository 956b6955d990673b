import { open } from 'node:fs/promises';

/**
 * Writes a NumPy file of float32 in row-major order (format 1.0,
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), part after part, so that a large array need
 * not be in memory as a whole.
 *
 * @param shape of the whole array
 * @param parts its numbers in order
 */
export async function writeNpy(
  path: string,
  shape: readonly number[],
  parts: Iterable<Float32Array> | AsyncIterable<Float32Array>,
): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(header(shape));
    let missing = shape.reduce((product, size) => product * size, 1);
    for await (const part of parts) {
      // Little-endian, as every platform is that the runtime has binaries for.
      await file.writeFile(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      missing -= part.length;
    }
    if (missing !== 0) {
      throw new Error(`${path} lacks ${missing} of the numbers that its shape (${shape}) promises`);
    }
  } finally {
    await file.close();
  }
}

/** Magic, version, length and a Python dictionary, padded so that the numbers begin at a multiple of 64 bytes. */
function header(shape: readonly number[]): Buffer {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + description.length + 1) / 64) * 64;
  const bytes = Buffer.alloc(length, ' ');
  bytes.write('\x93NUMPY\x01\x00', 'latin1');
  bytes.writeUInt16LE(length - 10, 8);
  bytes.write(description, 10, 'latin1');
  bytes.write('\n', length - 1, 'latin1');
  return bytes;
}
