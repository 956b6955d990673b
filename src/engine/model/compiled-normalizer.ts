import type { Normalize } from './source-text';

/** A cluster of fewer bytes is looked up as a whole first. */
const LONGEST_CLUSTER = 6;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
const clusters = new Intl.Segmenter('en', { granularity: 'grapheme' });

/**
 * The normalization that SentencePiece compiles into its models, as a tokenizer.json's `Precompiled` holds it: a table of what is
 * replaced, in a double-array trie (Aoe 1989, in the form of darts-clone), and what it is replaced by.
 *
 * @param charsmap in base64: the trie's length in bytes, the trie, and the replacements, each ended by a zero
 */
export function compiledNormalizer(charsmap: string): Normalize {
  const bytes = Uint8Array.from(Buffer.from(charsmap, 'base64'));
  const view = new DataView(bytes.buffer);
  const trieEnd = bytes.length < 4 ? 4 : Math.min(bytes.length, 4 + view.getUint32(0, true));
  const trie = Uint32Array.from({ length: Math.max(0, trieEnd - 4) >> 2 }, (_, at) => view.getUint32(4 + 4 * at, true));
  const replacements = bytes.subarray(trieEnd);
  /** What the shortest beginning of a text that the table has is replaced by; null where it has none. */
  const replacementOf = (text: string): string | null => {
    const start = firstValue(trie, textEncoder.encode(text));
    return start === null ? null : textDecoder.decode(replacements.subarray(start, replacements.indexOf(0, start)));
  };
  const normalizedCluster = (cluster: string): string => {
    const whole = Buffer.byteLength(cluster) < LONGEST_CLUSTER ? replacementOf(cluster) : null;
    return whole ?? Array.from(cluster, (character) => replacementOf(character) ?? character).join('');
  };
  return (text) => Array.from(clustersOf(text), normalizedCluster).join('');
}

/** Extended grapheme clusters. Of printable ASCII each character is one, and telling so takes a fraction of the time. */
function clustersOf(text: string): Iterable<string> {
  return /^[\x20-\x7e]*$/.test(text) ? text : Array.from(clusters.segment(text), ({ segment }) => segment);
}

/** The value of the shortest key that a text begins with. */
function firstValue(trie: Uint32Array, text: Uint8Array): number | null {
  let place = offsetOf(trie[0] ?? 0);
  for (const byte of text) {
    place ^= byte;
    const unit = trie[place] ?? 0;
    if (byte === 0 || (unit & 0x8000_00ff) !== byte) {
      return null;
    }
    place ^= offsetOf(unit);
    if ((unit & 0x100) !== 0) {
      return (trie[place] ?? 0) & 0x7fff_ffff;
    }
  }
  return null;
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
