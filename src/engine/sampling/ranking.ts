const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
const PASSES = 3;

/**
 * All token ids, largest logit first, equal ones by lower id: a radix sort on the floats' bits, which orders 260,000
 * logits in a few milliseconds where a comparison sort takes a tenth of a second.
 *
 * @param logits [V], none of them NaN
 * @returns [V]
 */
export function rankDescending(logits: Float32Array): Uint32Array {
  const size = logits.length;
  let keys = descendingKeys(logits);
  let ids = new Uint32Array(size);
  for (let id = 0; id < size; id++) {
    ids[id] = id;
  }
  let nextKeys = new Uint32Array(size);
  let nextIds = new Uint32Array(size);
  const positions = new Uint32Array(DIGITS);
  for (let pass = 0; pass < PASSES; pass++) {
    const shift = pass * DIGIT_BITS;
    positions.fill(0);
    for (let i = 0; i < size; i++) {
      positions[(keys[i] >>> shift) & (DIGITS - 1)]++;
    }
    let start = 0;
    for (let digit = 0; digit < DIGITS; digit++) {
      const count = positions[digit];
      positions[digit] = start;
      start += count;
    }
    for (let i = 0; i < size; i++) {
      const key = keys[i];
      const position = positions[(key >>> shift) & (DIGITS - 1)]++;
      nextKeys[position] = key;
      nextIds[position] = ids[i];
    }
    [keys, nextKeys] = [nextKeys, keys];
    [ids, nextIds] = [nextIds, ids];
  }
  return ids;
}

/** Unsigned integers that rise where the floats fall. */
function descendingKeys(logits: Float32Array): Uint32Array<ArrayBuffer> {
  const keys = new Uint32Array(logits.length);
  // Adding 0 makes −0 the 0 that it equals.
  const bits = new Uint32Array(Float32Array.from(logits, (logit) => logit + 0).buffer);
  for (let id = 0; id < logits.length; id++) {
    // A negative float's bits rise as it falls, and its sign bit is set already; a positive one's are turned round.
    keys[id] = bits[id] & 0x80000000 ? bits[id] : ~bits[id] & 0x7fffffff;
  }
  return keys;
}
