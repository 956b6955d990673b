import type { Tensor } from 'onnxruntime-node';
import { floatData } from './tensors';

/**
 * How many key heads of their own a layer has, by its keys as the scores need them: grouped queries share keys, which then
 * stand there once for each query head.
 *
 * @param keys […, H or fewer, d, T] or […, H or fewer, T, d]
 */
export function countKeyHeads(keys: Tensor): number {
  const heads = keys.dims.at(-3) ?? 1;
  const data = floatData(keys);
  const size = data.length / heads;
  let count = 0;
  for (let head = 0; head < heads; head++) {
    const own = data.subarray(head * size, (head + 1) * size);
    const before = head === 0 ? null : data.subarray((head - 1) * size, head * size);
    if (before === null || own.some((value, at) => value !== before[at])) {
      count++;
    }
  }
  return count;
}
