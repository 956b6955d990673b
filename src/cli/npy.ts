import { open } from 'node:fs/promises';
import { npyHeader, npyRemark } from '../protocol/npy';

/**
 * Writes a NumPy file of float32 in row-major order, part after part, so that a large array need not be in memory as a
 * whole.
 *
 * @param shape of the whole array
 * @param parts its numbers in order
 * @param about what they are of; it stands behind them
 */
export async function writeNpy(
  path: string,
  shape: readonly number[],
  parts: Iterable<Float32Array> | AsyncIterable<Float32Array>,
  about: object | null = null,
): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(npyHeader(shape));
    let missing = shape.reduce((product, size) => product * size, 1);
    for await (const part of parts) {
      // Little-endian, as every platform is that the runtime has binaries for.
      await file.writeFile(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      missing -= part.length;
    }
    if (about !== null) {
      await file.writeFile(npyRemark(about));
    }
    if (missing !== 0) {
      throw new Error(`${path} lacks ${missing} of the numbers that its shape (${shape}) promises`);
    }
  } finally {
    await file.close();
  }
}
