import { asciiJson } from './ascii-json';

/**
 * The head of a NumPy file of float32 in row-major order (format 1.0,
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): magic, version, length and a Python dictionary,
 * padded so that the numbers, little-endian, begin at a multiple of 64 bytes.
 *
 * @param shape of the whole array
 */
export function npyHeader(shape: readonly number[]): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + description.length + 1) / 64) * 64;
  const text = `\x93NUMPY\x01\x00${String.fromCharCode((length - 10) & 0xff, (length - 10) >> 8)}${description}`;
  return Uint8Array.from(`${text.padEnd(length - 1, ' ')}\n`, (character) => character.charCodeAt(0));
}

/**
 * What the numbers are of, for behind them: the format has no place for remarks, and `numpy.load` takes as many numbers as
 * the shape says.
 */
export function npyRemark(about: object): Uint8Array {
  return new TextEncoder().encode(`\n${asciiJson(about)}\n`);
}
