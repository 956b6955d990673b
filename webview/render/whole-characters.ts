import type { Token } from '../../src/protocol/tokens';

/** One token, or some that share a character. */
export interface Stretch {
  /** Which tokens, by their places in what was given. */
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly bytes: readonly number[];
}

/**
 * Tokens in stretches that are whole characters, as far as their bytes make any: what is no text by itself may be one
 * together with what follows. Bytes that become no character stay alone, token by token.
 */
export function wholeCharacters(tokens: readonly Pick<Token, 'text' | 'bytes'>[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (let from = 0; from < tokens.length; ) {
    let to = from + 1;
    let bytes = [...tokens[from].bytes];
    for (let missing = bytesMissing(bytes); missing > 0 && to < tokens.length; missing = bytesMissing(bytes)) {
      bytes = [...bytes, ...tokens[to].bytes];
      to++;
    }
    const text = decoded(bytes);
    if (text === null) {
      const { text: own, bytes: ownBytes } = tokens[from];
      stretches.push({ from, to: from + 1, text: own, bytes: ownBytes });
      from++;
    } else {
      stretches.push({ from, to, text, bytes });
      from = to;
    }
  }
  return stretches;
}

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decoded(bytes: readonly number[]): string | null {
  try {
    return DECODER.decode(Uint8Array.from(bytes));
  } catch {
    return null;
  }
}

/** Bytes that the last character lacks, by its first byte (RFC 3629); 0 where it is whole, or none. */
function bytesMissing(bytes: readonly number[]): number {
  let start = bytes.length - 1;
  while (start >= 0 && bytes.length - start < 4 && (bytes[start] & 0xc0) === 0x80) {
    start--;
  }
  const lead = bytes[start] ?? 0;
  const length =
    lead >= 0xf0 && lead < 0xf8 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc0 && lead < 0xe0 ? 2 : 1;
  return Math.max(0, length - (bytes.length - start));
}
