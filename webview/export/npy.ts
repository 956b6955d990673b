import { npyHeader } from '../../src/protocol/npy';
import { type About, asciiJson } from './about';

/** Numbers in row-major order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * A NumPy file. The format has no place for remarks; `numpy.load` takes as many numbers as the shape says, so that what the
 * numbers are of can stand behind them, as a line of JSON.
 */
export function npyOf({ shape, values }: Tensor, about: About): Uint8Array {
  const header = npyHeader(shape);
  const remark = new TextEncoder().encode(`\n${asciiJson(about)}\n`);
  const bytes = new Uint8Array(header.length + values.byteLength + remark.length);
  bytes.set(header);
  // Little-endian, as every platform is that VS Code runs on.
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), header.length);
  bytes.set(remark, header.length + values.byteLength);
  return bytes;
}
