import { HeadlightError } from '../../protocol/errors';
import { refuseTooLong } from '../../protocol/limits';
import type { Token, TokenSplits } from '../../protocol/tokens';
import type { Truncation } from '../../protocol/trace';
import type { Tokenizer } from '../model/tokenizer';

/** The tokens of a text that fit the model's context. */
export interface TokenizedPassage {
  readonly tokens: readonly Token[];
  /** The ids of all of the text's tokens, also of those that do not fit. */
  readonly wholeText: Uint32Array;
  readonly truncation: Truncation | null;
}

/**
 * Splits a text and keeps as many of its last tokens as fit `contextLength`, together with the token that the model is used
 * to find before a text; offsets stay those of the whole text.
 *
 * @param readsSpecial as `Tokenizer.split` has it
 * @throws HeadlightError `text-empty`, `text-too-long`
 */
export function tokenizePassage(
  text: string,
  tokenizer: Tokenizer,
  contextLength: number,
  readsSpecial = false,
): TokenizedPassage {
  if (text.length === 0) {
    throw new HeadlightError('text-empty', 'There is no text to inspect; select some, or put the caret after some.');
  }
  refuseTooLong(text.length);
  const splits = tokenizer.split(text, readsSpecial);
  const total = splits.ids.length;
  const { startToken } = tokenizer;
  const before = startToken === null ? 0 : 1;
  const kept = Math.min(total, contextLength - before);
  const first = total - kept;
  const read = Array.from({ length: kept }, (_, index) => tokenAt(splits, first + index, before + index, tokenizer));
  return {
    tokens: [
      ...(startToken === null ? [] : [addedToken(startToken, splits.starts[first] ?? text.length, tokenizer)]),
      ...read,
    ],
    wholeText: startToken === null ? splits.ids : Uint32Array.from([startToken, ...splits.ids]),
    truncation: kept < total ? { totalTokens: total, keptTokens: kept } : null,
  };
}

/**
 * Tokens given by their ids. Their offsets are those of the text that the ids spell together.
 * @throws HeadlightError `text-empty`, `text-too-long` for more ids than the context has, `argument-invalid`
 */
export function passageOfIds(ids: readonly number[], tokenizer: Tokenizer, contextLength: number): TokenizedPassage {
  if (ids.length === 0) {
    throw new HeadlightError('text-empty', 'There are no token ids to inspect.');
  }
  if (ids.length > contextLength) {
    throw new HeadlightError(
      'text-too-long',
      `${count(ids.length)} token ids were given and the model's context holds ${count(contextLength)}; give fewer.`,
    );
  }
  let end = 0;
  const tokens = ids.map((id, index) => {
    const bytes = tokenizer.bytesOf(id);
    const text = tokenizer.textOf(id);
    const start = end;
    end += text.length;
    return { index, id, text, bytes: [...bytes], start, end, ...specialOf(id, tokenizer) };
  });
  return { tokens, wholeText: Uint32Array.from(ids), truncation: null };
}

/** A passage that goes another way from one of its tokens on. */
export interface BranchedPassage {
  readonly passage: TokenizedPassage;
  /** UTF-16 offset into the passage's text up to which it is kept. */
  readonly from: number;
  /** What follows it there. */
  readonly text: string;
}

/**
 * Keeps the first tokens of a passage and puts others behind them, as many of the last ones of all as fit the context.
 * @throws HeadlightError `argument-invalid` for ids outside the vocabulary
 */
export function branchPassage(
  { tokens, wholeText }: TokenizedPassage,
  keep: number,
  behind: readonly number[],
  tokenizer: Tokenizer,
  contextLength: number,
): BranchedPassage {
  // Where the last kept token shares its character with the next one, the character may become another one.
  let whole = keep;
  while (whole > 0 && whole < tokens.length && tokens[whole - 1].end > tokens[whole].start) {
    whole--;
  }
  const kept = tokens.slice(0, whole);
  const from = kept.at(-1)?.end ?? tokens[0].start;
  const spelled = spell([...tokens.slice(whole, keep).map(({ id }) => id), ...behind], from, tokenizer);
  const all = [...kept, ...spelled.tokens];
  const lead = tokens[0].added ? [tokens[0]] : [];
  const room = contextLength - lead.length;
  const read = all.slice(lead.length).slice(-room);
  const before = wholeText.subarray(0, wholeText.length - tokens.length + keep);
  const total = before.length + behind.length - lead.length;
  return {
    passage: {
      tokens: [...lead.map((token) => ({ ...token, start: read[0].start, end: read[0].start })), ...read].map(
        (token, index) => ({ ...token, index }),
      ),
      wholeText: Uint32Array.from([...before, ...behind]),
      truncation: read.length < total ? { totalTokens: total, keptTokens: read.length } : null,
    },
    from,
    text: spelled.text,
  };
}

/** The text that tokens spell together, and where each of them stands in it. */
function spell(
  ids: readonly number[],
  from: number,
  tokenizer: Tokenizer,
): { readonly tokens: readonly Omit<Token, 'index'>[]; readonly text: string } {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const tokens: (Omit<Token, 'index'> & { end: number })[] = [];
  let text = '';
  /** Bytes of a character that is not whole yet, and the tokens that have some of them. */
  let unfinished = new Uint8Array();
  let sharing: typeof tokens = [];
  const finish = (added: string) => {
    const [first = ''] = added;
    for (const token of added === '' ? [] : sharing.splice(0)) {
      token.end = from + text.length + first.length;
    }
    text += added;
  };
  for (const id of ids) {
    const bytes = tokenizer.bytesOf(id);
    const start = from + text.length;
    const all = Buffer.concat([unfinished, bytes]);
    const length = wholeCharacters(all);
    finish(decoder.decode(all.subarray(0, length)));
    unfinished = all.subarray(length);
    const place = { start, end: from + text.length };
    const token = { id, text: tokenizer.textOf(id), bytes: [...bytes], ...place, ...specialOf(id, tokenizer) };
    tokens.push(token);
    sharing = unfinished.length > 0 ? [...sharing, token] : [];
  }
  finish(decoder.decode(unfinished));
  return { tokens, text };
}

/** How many bytes at the beginning are whole characters of UTF-8, or none at all. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) !== 0x80) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
      return needed > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

/** @param start where the text that the model reads begins */
function addedToken(id: number, start: number, tokenizer: Tokenizer): Token {
  const bytes = [...tokenizer.bytesOf(id)];
  return {
    index: 0,
    id,
    text: tokenizer.textOf(id),
    bytes,
    start,
    end: start,
    added: true,
    ...specialOf(id, tokenizer),
  };
}

function tokenAt(splits: TokenSplits, position: number, index: number, tokenizer: Tokenizer): Token {
  const id = splits.ids[position];
  return {
    index,
    id,
    text: tokenizer.textOf(id),
    bytes: [...tokenizer.bytesOf(id)],
    start: splits.starts[position],
    end: splits.ends[position],
    ...specialOf(id, tokenizer),
  };
}

function specialOf(id: number, tokenizer: Tokenizer): Pick<Token, 'special'> {
  return tokenizer.specialTokenOf(id) === null ? {} : { special: true };
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
