/** What a tokenizer does to a text before it looks for tokens, without what it puts before it. */
export type Normalize = (text: string) => string;

/**
 * A piece of text as the tokenizer sees it, in UTF-8, and for each of its bytes the characters of the document that it
 * came from. Normalizers change text (compose accents, unite white space), so that the two are not the same.
 */
export interface SourceText {
  /** The text after normalization, with the prefix. */
  readonly normalized: string;
  /** Its UTF-8 form; a surrogate without its other half is U+FFFD. */
  readonly bytes: Uint8Array;
  /** By byte: the UTF-16 range in the document. The prefix comes from none: its ranges are empty. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** By byte: where it begins and ends in the document's UTF-8 form, counted from where the section begins. */
  readonly byteStarts: Uint32Array;
  readonly byteEnds: Uint32Array;
  /** The section's length in UTF-8. */
  readonly byteLength: number;
}

/** What no normalizer looks beyond: a run of white space, a run of jamo, or a character with its combining marks. */
const ATOM = /\s+|[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+\p{M}*|[\s\S]\p{M}*/gu;

const textEncoder = new TextEncoder();

/**
 * @param text a section of the document
 * @param offset where it begins in the document, in UTF-16 code units
 * @param prefix what the tokenizer puts before the section, such as `▁`
 */
export function sourceText(text: string, offset: number, prefix: string, normalize: Normalize): SourceText {
  const body = normalize(text);
  const normalized = prefix + body;
  const bytes = textEncoder.encode(normalized);
  const starts = new Uint32Array(bytes.length).fill(offset);
  const ends = new Uint32Array(bytes.length).fill(offset);
  const byteOffsets = new Uint32Array(bytes.length + 1);
  let at = byteLength(prefix);
  let source = offset;
  let sourceByte = 0;
  const map = (given: string, made: string) => {
    const givenBytes = byteLength(given);
    for (let end = at + byteLength(made), first = at; at < end; at++) {
      starts[at] = source;
      ends[at] = source + given.length;
      // As many of the document's bytes as it has: some characters become longer ones.
      byteOffsets[at] = sourceByte + Math.min(at - first, Math.max(0, givenBytes - 1));
    }
    source += given.length;
    sourceByte += givenBytes;
  };
  for (const { given, made } of alignment(text, body, normalize)) {
    const characters = [...given];
    const madeCharacters = [...made];
    if (characters.length === madeCharacters.length) {
      for (const [index, character] of characters.entries()) {
        map(character, madeCharacters[index]);
      }
    } else {
      map(given, made);
    }
  }
  byteOffsets[bytes.length] = sourceByte;
  const [byteStarts, byteEnds] = [byteOffsets.subarray(0, -1), byteOffsets.subarray(1)];
  return { normalized, bytes, starts, ends, byteStarts, byteEnds, byteLength: sourceByte };
}

/** The same text without some of its bytes, of which a tokenizer takes no notice. */
export function withoutBytes(source: SourceText, isLeftOut: (byte: number) => boolean): SourceText {
  const kept = Uint32Array.from(source.bytes.keys()).filter((at) => !isLeftOut(source.bytes[at]));
  const column = (of: Uint32Array) => kept.map((at) => of[at]);
  return {
    ...source,
    bytes: Uint8Array.from(kept, (at) => source.bytes[at]),
    ...{ starts: column(source.starts), ends: column(source.ends) },
    ...{ byteStarts: column(source.byteStarts), byteEnds: column(source.byteEnds) },
  };
}

interface Aligned {
  readonly given: string;
  readonly made: string;
}

/** The parts of a text beside what became of them: the smaller, the better. */
function alignment(text: string, body: string, normalize: Normalize): readonly Aligned[] {
  if (text === body) {
    return [{ given: text, made: body }];
  }
  const atoms = (text.match(ATOM) ?? []).map((given) => ({ given, made: normalize(given) }));
  const covers = atoms.map(({ made }) => made).join('') === body;
  // Where something is replaced across atoms, all that is certain is where the section begins and ends.
  return covers ? atoms : [{ given: text, made: body }];
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
