/**
 * The alphabet in which byte-level tokenizers write bytes into JSON: printable Latin-1 stands for itself, the other
 * bytes in order for U+0100 and up (so a space is Ġ).
 */
const BYTE_OF_CODE: Int16Array = alphabet();

/**
 * Reads the bytes that a token of a `tokenizer.json` stands for.
 *
 * @param into room for as many bytes as the token has characters
 * @returns how many bytes there are, or -1 where the token is not written in the byte-level alphabet
 */
export function readByteLevel(token: string, into: Uint8Array): number {
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CODE[token.charCodeAt(i)] ?? -1;
    if (byte < 0) {
      return -1;
    }
    into[i] = byte;
  }
  return token.length;
}

/** By character code; -1 where it stands for no byte. */
function alphabet(): Int16Array {
  const bytes = new Int16Array(0x200).fill(-1);
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    bytes[printable ? byte : next++] = byte;
  }
  return bytes;
}
