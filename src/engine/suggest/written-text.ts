/**
 * Text out of tokens, whose bytes may end in the middle of a character: those are held until the character is whole.
 */
export class WrittenText {
  #text = '';
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

  /** The whole characters so far. */
  get text(): string {
    return this.#text;
  }

  /** @returns the characters that these bytes complete; null where they are no text */
  add(bytes: Uint8Array): string | null {
    try {
      const added = this.#decoder.decode(bytes, { stream: true });
      this.#text += added;
      return added;
    } catch {
      return null;
    }
  }
}
