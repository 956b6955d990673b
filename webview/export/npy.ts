import { npyHeader, npyRemark } from '../../src/protocol/npy';
import type { About } from './about';

/** Numbers in row-major order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A NumPy file, with what the numbers are of behind them. */
export function npyOf({ shape, values }: Tensor, about: About): Uint8Array {
  const header = npyHeader(shape);
  const remark = npyRemark(about);
  const bytes = new Uint8Array(header.length + values.byteLength + remark.length);
  bytes.set(header);
  // Little-endian, as every platform is that VS Code runs on.
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), header.length);
  bytes.set(remark, header.length + values.byteLength);
  return bytes;
}
