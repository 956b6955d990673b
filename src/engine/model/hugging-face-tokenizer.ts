import { Tokenizer as TokenizerParts } from '@huggingface/tokenizers';
import { HeadlightError } from '../../protocol/errors';
import type { TextRange, TokenSplits } from '../../protocol/tokens';
import { anyOf } from './any-of';
import { readByteLevel } from './byte-level';
import { compiledNormalizer } from './compiled-normalizer';
import { isObject } from './json-file';
import { type Normalize, sourceText, withoutBytes } from './source-text';
import { SplitsBuilder } from './splits-builder';
import { refuseUnknownId, textOfBytes } from './token';
import type { Tokenizer } from './tokenizer';
import { type AddedToken, GPT2_PATTERN, isScored, type PreTokenizer, type TokenizerJson } from './tokenizer-json';
import { type WordBoundaries, wordBoundaries } from './word-boundaries';

/** How SentencePiece writes a space. */
const SPACE_MARK = '▁';
const NUMBER = String.raw`\p{N}`;
const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/;
const WHITE_SPACE = /\p{White_Space}/u;
const textEncoder = new TextEncoder();

interface Normalizer {
  readonly type?: string;
  readonly normalizers?: readonly Normalizer[];
  readonly prepend?: string;
  readonly pattern?: { readonly String?: string };
  readonly content?: string;
  readonly precompiled_charsmap?: string;
}

/** What a tokenizer puts before a section of text, and when. */
interface Prefix {
  readonly text: string;
  readonly sections: 'all' | 'first' | 'none';
  /** Left out where the section begins with it already. */
  readonly once: boolean;
}

/**
 * The tokens of any byte-level, SentencePiece-like BPE or Unigram tokenizer that a `tokenizer.json` describes. The
 * library normalizes, cuts and merges; where each token's bytes stand in the text is worked out here from the tokens.
 */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly encoding: string;
  readonly startToken: number | null;
  readonly #parts: TokenizerParts;
  readonly #idOf: ReadonlyMap<string, number>;
  readonly #tokenOf: ReadonlyMap<number, string>;
  readonly #specialTokens: ReadonlyMap<number, string>;
  readonly #plainTokens: ReadonlyMap<number, string>;
  /** Added tokens that are ordinary text, and all of them. */
  readonly #plainAdded: AddedTokens;
  readonly #allAdded: AddedTokens;
  readonly #prefix: Prefix;
  readonly #isByteLevel: boolean;
  readonly #marksSpaces: boolean;
  readonly #cutsBeforeMarks: boolean;
  readonly #boundaries: WordBoundaries;
  readonly #unknown: { readonly token: string; readonly id: number } | null;
  readonly #fusesUnknown: boolean;
  /** The first step of its normalization, where that is compiled: the library only comes near to it. */
  readonly #compiled: Normalize | null;
  readonly #byteFallback: boolean;
  /** Bytes for which a byte-level vocabulary has no token, nor one that stands for what it lacks: they are passed over. */
  readonly #absent: ReadonlySet<number>;

  /**
   * @param vocabSize the model's, which may be larger than the tokenizer's; null where it is not known
   * @param startToken the id to put before a text, or null
   * @param file its path, for the sentence of a failure
   * @throws HeadlightError `tokenizer-unsupported` for a kind that is not read, `model-invalid` for a damaged file
   */
  constructor(json: TokenizerJson, vocabSize: number | null, startToken: number | null, file: string) {
    const { model } = json;
    const added = json.added_tokens ?? [];
    const kind = model.type ?? (Array.isArray(model.merges) ? 'BPE' : 'unnamed');
    if (kind !== 'BPE' && kind !== 'Unigram') {
      throw unsupported(file, `its model is ${kind}`);
    }
    if (model.end_of_word_suffix || model.continuing_subword_prefix) {
      throw unsupported(file, 'it marks parts of words');
    }
    this.encoding = kind;
    this.startToken = startToken;
    const tokens = vocabularyOf(model.vocab);
    const special = added.filter(({ special }) => special === true);
    const plain = added.filter(({ special }) => special !== true);
    this.#specialTokens = new Map(special.map(({ id, content }) => [id, content]));
    this.#plainTokens = new Map(plain.map(({ id, content }) => [id, content]));
    this.#plainAdded = addedTokens(plain);
    this.#allAdded = addedTokens(added);
    this.#tokenOf = new Map([...tokens, ...added.map(({ id, content }) => [id, content] as const)]);
    this.vocabSize = vocabSize ?? [...this.#tokenOf.keys()].reduce((size, id) => Math.max(size, id + 1), 0);
    this.#unknown = unknownOf(model, tokens);
    const hidden = new Set([...special.map(({ content }) => content), ...(this.#unknown ? [this.#unknown.token] : [])]);
    this.#idOf = new Map([...tokens].filter(([, token]) => !hidden.has(token)).map(([id, token]) => [token, id]));
    this.#fusesUnknown = model.fuse_unk === true;
    this.#byteFallback = model.byte_fallback === true;
    const preTokenizers = flatten(json.pre_tokenizer ?? null, 'pretokenizers');
    const normalizers = flatten((json.normalizer ?? null) as Normalizer | null, 'normalizers');
    const charsmap = normalizers[0]?.type === 'Precompiled' ? normalizers[0].precompiled_charsmap : undefined;
    this.#compiled = typeof charsmap === 'string' ? compiledNormalizer(charsmap) : null;
    const metaspace = preTokenizers.find(({ type }) => type === 'Metaspace');
    this.#isByteLevel = preTokenizers.some(({ type }) => type === 'ByteLevel');
    this.#marksSpaces = metaspace !== undefined || normalizers.some(({ content }) => content === SPACE_MARK);
    this.#cutsBeforeMarks = metaspace !== undefined && metaspace.split !== false;
    this.#absent = new Set(this.#isByteLevel && this.#unknown === null ? absentBytes(this.#idOf) : []);
    this.#prefix = prefixOf(preTokenizers, normalizers, file);
    this.#boundaries = wordBoundaries({
      tokens: this.#idOf.keys(),
      added: added.map(({ content }) => content),
      mark: this.#marksSpaces ? SPACE_MARK : this.#isByteLevel ? 'Ġ' : ' ',
      preTokenizers: preTokenizers.map(({ type }) => type),
    });
    try {
      this.#parts = new TokenizerParts(
        withoutAdditions(json, hidden, this.#unknown?.token, this.#compiled !== null),
        {},
      );
    } catch (cause) {
      throw new HeadlightError(
        'tokenizer-unsupported',
        `${file} has a part that Headlight cannot read (${cause instanceof Error ? cause.message : cause}); export the tokenizer again.`,
        { cause },
      );
    }
  }

  split(text: string, readsSpecial = false): TokenSplits {
    const splits = new SplitsBuilder(text.length);
    this.#splitSections(text, 0, true, readsSpecial, splits);
    return splits.finish();
  }

  splitRange(text: string, wanted: TextRange, readsSpecial = false): TokenSplits {
    const from = this.#boundaries.before(text, wanted.from);
    const to = this.#boundaries.after(text, wanted.to);
    const splits = new SplitsBuilder(to - from, Buffer.byteLength(text.slice(0, from)));
    this.#splitSections(text.slice(from, to), from, from === 0, readsSpecial, splits);
    return splits.finish(wanted);
  }

  bytesOf(id: number): Uint8Array {
    const special = this.specialTokenOf(id) ?? this.#plainTokens.get(id);
    if (special !== undefined) {
      return textEncoder.encode(special);
    }
    const token = this.#tokenOf.get(id);
    if (token === undefined) {
      return new Uint8Array(0);
    }
    const bytes = this.#rawBytes(token);
    return this.#marksSpaces && !BYTE_TOKEN.test(token) ? textEncoder.encode(token.replaceAll(SPACE_MARK, ' ')) : bytes;
  }

  textOf(id: number): string {
    return textOfBytes(this.bytesOf(id));
  }

  specialTokenOf(id: number): string | null {
    refuseUnknownId(id, this.vocabSize);
    return this.#specialTokens.get(id) ?? null;
  }

  /** The largest id that text can become. */
  get largestId(): number {
    let largest = -1;
    for (const id of [...this.#idOf.values(), ...this.#plainTokens.keys()]) {
      largest = Math.max(largest, id);
    }
    return largest;
  }

  /** Cuts out added tokens, and splits what lies between them. */
  #splitSections(text: string, offset: number, isStart: boolean, readsSpecial: boolean, splits: SplitsBuilder): void {
    const { pattern, byContent } = readsSpecial ? this.#allAdded : this.#plainAdded;
    let from = 0;
    let index = 0;
    const section = (to: number) => {
      if (to > from) {
        const isFirst = index === 0 && isStart;
        // A text that is read from its middle on has no prefix there.
        this.#splitSection(text.slice(from, to), offset + from, isFirst, isFirst || index > 0, splits);
      }
      index++;
    };
    for (const match of text.matchAll(pattern)) {
      const token = byContent.get(match[0])!;
      const [start, end] = reachOf(token, text, match.index, from);
      if (start < from || (token.single_word && !standsAlone(text, start, end))) {
        continue;
      }
      section(start);
      splits.push(token.id, offset + start, offset + end, Buffer.byteLength(text.slice(start, end)));
      from = end;
    }
    section(text.length);
  }

  #splitSection(text: string, offset: number, isFirst: boolean, isWhole: boolean, splits: SplitsBuilder): void {
    const normalize = (part: string) => this.#normalize(part);
    const whole = sourceText(text, offset, this.#prefixFor(text, isFirst, isWhole), normalize);
    const source = this.#absent.size === 0 ? whole : withoutBytes(whole, (byte) => this.#absent.has(byte));
    const pieces = this.#parts.pre_tokenizer?.(source.normalized, { section_index: isFirst ? 0 : 1 }) ?? [
      source.normalized,
    ];
    const tokens = this.#parts.model!(pieces.flatMap((piece: string) => this.#cut(piece)));
    const { bytes, starts, ends, byteStarts, byteEnds, byteLength } = source;
    let at = 0;
    let byteOffset = 0;
    const take = (id: number, from: number, length: number) => {
      at = from + length;
      splits.skip(byteStarts[from] - byteOffset);
      splits.push(id, starts[from], ends[at - 1], byteEnds[at - 1] - byteStarts[from]);
      byteOffset = byteEnds[at - 1];
    };
    for (const token of tokens) {
      const id = this.#idOf.get(token);
      if (id !== undefined) {
        const surface = this.#rawBytes(token);
        take(id, find(surface, bytes, at), surface.length);
      } else {
        this.#takeUnknown(token, bytes, at, take);
      }
    }
    splits.skip(byteLength - byteOffset);
  }

  /** What stands for characters that the vocabulary lacks. */
  #takeUnknown(
    token: string,
    bytes: Uint8Array,
    at: number,
    take: (id: number, from: number, length: number) => void,
  ): void {
    const unknown = this.#unknown;
    const isNamed = token === unknown?.token;
    const start = isNamed ? this.#skipKnown(bytes, at) : at;
    const length = isNamed ? this.#unknownLength(bytes, start) : Buffer.byteLength(token);
    const ids = [...bytes.subarray(start, start + length)].map((byte) => this.#idOf.get(byteToken(byte)));
    if (this.#byteFallback && ids.every((id) => id !== undefined)) {
      for (const [index, id] of ids.entries()) {
        take(id, start + index, 1);
      }
    } else if (unknown !== null) {
      take(unknown.id, start, length);
    }
  }

  /** Bytes of the character at `at`, or with fusing of all that follow and are unknown too. */
  #unknownLength(bytes: Uint8Array, at: number): number {
    let end = at;
    do {
      end += characterLength(bytes, end);
    } while (this.#fusesUnknown && end < bytes.length && !this.#hasCharacter(bytes, end));
    return end - at;
  }

  #skipKnown(bytes: Uint8Array, at: number): number {
    let start = at;
    while (start < bytes.length && this.#hasCharacter(bytes, start)) {
      start += characterLength(bytes, start);
    }
    return start < bytes.length ? start : at;
  }

  #hasCharacter(bytes: Uint8Array, at: number): boolean {
    return this.#idOf.has(Buffer.from(bytes.subarray(at, at + characterLength(bytes, at))).toString());
  }

  #normalize(text: string): string {
    const compiled = this.#compiled === null ? text : this.#compiled(text);
    const normalized = this.#parts.normalizer === null ? compiled : this.#parts.normalizer(compiled);
    return this.#marksSpaces ? normalized.replaceAll(' ', SPACE_MARK) : normalized;
  }

  #prefixFor(text: string, isFirst: boolean, isWhole: boolean): string {
    const { text: prefix, sections, once } = this.#prefix;
    const applies = sections === 'all' ? isWhole : sections === 'first' && isFirst;
    const normalized = applies && prefix !== '' ? this.#normalize(text) : '';
    // Nothing is put before nothing: control characters may be all that a section has.
    return normalized === '' || (once && normalized.startsWith(prefix)) ? '' : prefix;
  }

  /** Parts that no token reaches over, so that the model's cache can know them. */
  #cut(whole: string): readonly string[] {
    const piece = this.#absent.size === 0 ? whole : [...whole].filter((mark) => this.#idOf.has(mark)).join('');
    if (this.#cutsBeforeMarks) {
      return piece.match(/▁?[^▁]+|▁/g) ?? [];
    }
    return this.#boundaries.cut(piece);
  }

  /** A token's bytes as they stand in the normalized text. */
  #rawBytes(token: string): Uint8Array {
    if (this.#isByteLevel) {
      const bytes = new Uint8Array(token.length);
      if (readByteLevel(token, bytes) >= 0) {
        return bytes;
      }
    }
    return BYTE_TOKEN.test(token) && this.#byteFallback ? byteOfToken(token) : textEncoder.encode(token);
  }
}

/** Where a token stands: here, or after text that the tokenizer left out. */
function find(token: Uint8Array, bytes: Uint8Array, at: number): number {
  const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(token, at);
  if (found < 0) {
    throw new HeadlightError('internal', `The tokenizer gave a token that is not in the text at byte ${at}.`);
  }
  return found;
}

/** Tokens by id: of BPE an object, of Unigram a list with scores. */
function vocabularyOf(vocab: TokenizerJson['model']['vocab']): ReadonlyMap<number, string> {
  return new Map(
    isScored(vocab)
      ? vocab.map((entry, id): [number, string] => [id, entry[0]])
      : Object.entries(vocab).map(([token, id]): [number, string] => [id, token]),
  );
}

function unknownOf(
  { unk_id: id, unk_token: name }: TokenizerJson['model'],
  tokens: ReadonlyMap<number, string>,
): { readonly token: string; readonly id: number } | null {
  if (typeof id === 'number' && tokens.has(id)) {
    return { token: tokens.get(id)!, id };
  }
  for (const [known, token] of name ? tokens : []) {
    if (token === name) {
      return { token, id: known };
    }
  }
  return null;
}

/** The steps of a normalizer or pre-tokenizer, with sequences opened. */
function flatten<T extends { readonly type?: string }>(step: T | null, list: keyof T): readonly T[] {
  if (step === null) {
    return [];
  }
  const inner = step[list];
  return step.type === 'Sequence' && Array.isArray(inner) ? inner.flatMap((one) => flatten<T>(one, list)) : [step];
}

function prefixOf(preTokenizers: readonly PreTokenizer[], normalizers: readonly Normalizer[], file: string): Prefix {
  const prepend = normalizers.find(({ type }) => type === 'Prepend');
  if (prepend !== undefined) {
    const marked = normalizers.some(({ content }) => content === SPACE_MARK);
    const text = prepend.prepend ?? '';
    return { text: marked ? text.replaceAll(' ', SPACE_MARK) : text, sections: 'all', once: false };
  }
  const metaspace = preTokenizers.find(({ type }) => type === 'Metaspace');
  if (metaspace !== undefined) {
    const scheme = metaspace.prepend_scheme ?? (metaspace.add_prefix_space === false ? 'never' : 'always');
    const sections = scheme === 'always' ? 'all' : scheme === 'first' ? 'first' : 'none';
    return { text: SPACE_MARK, sections, once: true };
  }
  const byteLevel = preTokenizers.findIndex(({ type, add_prefix_space }) => type === 'ByteLevel' && add_prefix_space);
  if (byteLevel > 0) {
    throw unsupported(file, 'it puts a space before each piece of a word');
  }
  return { text: ' ', sections: byteLevel === 0 ? 'all' : 'none', once: true };
}

/** The description without what is done here: added tokens and prefixes; and without special tokens as text. */
function withoutAdditions(
  json: TokenizerJson,
  hidden: ReadonlySet<string>,
  unknown: string | undefined,
  isCompiled: boolean,
): object {
  const { model } = json;
  const vocab = isScored(model.vocab)
    ? // Each keeps its place; the name that takes its own stands in no text.
      model.vocab.map(([token, score], id) => [hidden.has(token) ? `\0special ${id}` : token, score])
    : Object.fromEntries(Object.entries(model.vocab).filter(([token]) => token === unknown || !hidden.has(token)));
  return {
    ...json,
    added_tokens: [],
    post_processor: null,
    decoder: null,
    normalizer: isCompiled ? withoutCompiled(json.normalizer) : withoutPrefix(json.normalizer ?? null),
    pre_tokenizer: withoutPrefix(json.pre_tokenizer ?? null),
    model: { ...model, type: model.type ?? 'BPE', vocab },
  };
}

/** The steps behind the compiled one. */
function withoutCompiled(normalizer: unknown): unknown {
  const [, ...others] = flatten(normalizer as Normalizer | null, 'normalizers');
  return { type: 'Sequence', normalizers: others.map(withoutPrefix).filter((step) => step !== null) };
}

function withoutPrefix(step: unknown): unknown {
  if (!isObject(step)) {
    return null;
  }
  switch (step.type) {
    case 'Prepend':
      return null;
    case 'Metaspace':
      return { ...step, prepend_scheme: 'never' };
    case 'ByteLevel':
      return step.use_regex === false ? { ...step, add_prefix_space: false } : byPattern(step);
    case 'Digits':
      // The library knows the digits 0–9 only: to the tokenizer all numbers are digits.
      return isolating(step.individual_digits === true ? NUMBER : `${NUMBER}+`);
    case 'Sequence': {
      const list = 'normalizers' in step ? 'normalizers' : 'pretokenizers';
      const inner = Array.isArray(step[list]) ? step[list] : [];
      return { ...step, [list]: inner.map(withoutPrefix).filter((one) => one !== null) };
    }
    default:
      return step;
  }
}

/** `ByteLevel` with its pattern as a step before it: the library's own takes JavaScript's white space for Unicode's. */
function byPattern(step: Record<string, unknown>): object {
  const bytes = { ...step, add_prefix_space: false, use_regex: false };
  return { type: 'Sequence', pretokenizers: [isolating(GPT2_PATTERN), bytes] };
}

function isolating(pattern: string): object {
  return { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
}

interface AddedTokens {
  readonly pattern: RegExp;
  readonly byContent: ReadonlyMap<string, AddedToken>;
}

function addedTokens(tokens: readonly AddedToken[]): AddedTokens {
  const byContent = new Map(tokens.filter(({ content }) => content !== '').map((token) => [token.content, token]));
  return { pattern: anyOf([...byContent.keys()]), byContent };
}

/** With the white space around it that an added token takes. */
function reachOf(token: AddedToken, text: string, at: number, from: number): readonly [number, number] {
  let start = at;
  let end = at + token.content.length;
  while (token.lstrip && start > from && WHITE_SPACE.test(text[start - 1])) {
    start--;
  }
  while (token.rstrip && end < text.length && WHITE_SPACE.test(text[end])) {
    end++;
  }
  return [start, end];
}

function standsAlone(text: string, start: number, end: number): boolean {
  return (
    !/[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u.test(text.slice(0, start)) &&
    !/^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u.test(text.slice(end))
  );
}

function absentBytes(tokens: ReadonlyMap<string, number>): readonly number[] {
  const given = new Uint8Array(1);
  const present = new Set<number>();
  for (const token of tokens.keys()) {
    if (token.length === 1 && readByteLevel(token, given) === 1) {
      present.add(given[0]);
    }
  }
  return Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !present.has(byte));
}

function byteOfToken(token: string): Uint8Array {
  return Uint8Array.of(Number.parseInt(BYTE_TOKEN.exec(token)![1], 16));
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/** Of the UTF-8 character that begins at `at`. */
function characterLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at];
  return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

function unsupported(file: string, why: string): HeadlightError {
  return new HeadlightError(
    'tokenizer-unsupported',
    `${file} is not a tokenizer that Headlight reads: ${why}, and not byte-level BPE, SentencePiece BPE or Unigram.`,
  );
}
