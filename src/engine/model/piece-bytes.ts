/**
 * The UTF-8 form of one piece of a text, and which characters its bytes belong to. Its memory is used again for the
 * next piece. A surrogate without its other half becomes U+FFFD, as TextEncoder has it.
 */
export class PieceBytes {
  /** Only the first `length` belong to the piece. */
  bytes = new Uint8Array(1024);
  length = 0;
  #start = 0;
  #ascii = true;
  /** For each byte the UTF-16 offset of its character; only filled where the piece is not ASCII. */
  #characterStarts = new Uint32Array(1024);

  /** Takes the UTF-16 range from…to of a text. */
  encode(text: string, from: number, to: number): void {
    if (this.bytes.length < 3 * (to - from)) {
      const capacity = 2 ** Math.ceil(Math.log2(3 * (to - from)));
      this.bytes = new Uint8Array(capacity);
      this.#characterStarts = new Uint32Array(capacity);
    }
    this.#start = from;
    const bytes = this.bytes;
    for (let i = from; i < to; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) {
        this.#encodeCharacters(text, from, to);
        return;
      }
      bytes[i - from] = code;
    }
    this.length = to - from;
    this.#ascii = true;
  }

  #encodeCharacters(text: string, from: number, to: number): void {
    const bytes = this.bytes;
    const starts = this.#characterStarts;
    let end = 0;
    for (let i = from; i < to; ) {
      let code = text.codePointAt(i)!;
      const first = end;
      const units = code > 0xffff ? 2 : 1;
      if (code < 0x80) {
        bytes[end++] = code;
      } else if (code < 0x800) {
        bytes[end++] = 0xc0 | (code >> 6);
        bytes[end++] = 0x80 | (code & 0x3f);
      } else if (units === 1) {
        if (code >= 0xd800 && code <= 0xdfff) {
          code = 0xfffd;
        }
        bytes[end++] = 0xe0 | (code >> 12);
        bytes[end++] = 0x80 | ((code >> 6) & 0x3f);
        bytes[end++] = 0x80 | (code & 0x3f);
      } else {
        bytes[end++] = 0xf0 | (code >> 18);
        bytes[end++] = 0x80 | ((code >> 12) & 0x3f);
        bytes[end++] = 0x80 | ((code >> 6) & 0x3f);
        bytes[end++] = 0x80 | (code & 0x3f);
      }
      starts.fill(i, first, end);
      i += units;
    }
    this.length = end;
    this.#ascii = false;
  }

  /** UTF-16 offset into the text where the character that has this byte starts. */
  characterStart(byte: number): number {
    return this.#ascii ? this.#start + byte : this.#characterStarts[byte];
  }

  /** UTF-16 offset into the text where the character that has this byte ends. */
  characterEnd(byte: number): number {
    if (this.#ascii) {
      return this.#start + byte + 1;
    }
    // Four bytes are the one length that takes two UTF-16 units.
    const start = this.#characterStarts[byte];
    let lead = byte;
    while ((this.bytes[lead] & 0xc0) === 0x80) {
      lead--;
    }
    return start + (this.bytes[lead] >= 0xf0 ? 2 : 1);
  }
}
