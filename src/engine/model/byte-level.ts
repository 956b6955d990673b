/**
 * The alphabet in which byte-level tokenizers write bytes into JSON: printable Latin-1 stands for itself, the other
 * bytes in order for U+0100 and up (so a space is Ġ).
 */
const CHARACTER_OF_BYTE: readonly string[] = alphabet();
/** Bytes as a `tokenizer.json` writes them. */
export function byteLevelText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => CHARACTER_OF_BYTE[byte]).join('');
}

function alphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
}
