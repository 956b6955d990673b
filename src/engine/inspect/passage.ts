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
 * @throws HeadlightError `text-empty`, `text-too-long`
 */
export function tokenizePassage(text: string, tokenizer: Tokenizer, contextLength: number): TokenizedPassage {
  if (text.length === 0) {
    throw new HeadlightError('text-empty', 'There is no text to inspect; select some, or put the caret after some.');
  }
  refuseTooLong(text.length);
  const splits = tokenizer.split(text);
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
    return { index, id, text, bytes: [...bytes], start, end };
  });
  return { tokens, wholeText: Uint32Array.from(ids), truncation: null };
}

/** @param start where the text that the model reads begins */
function addedToken(id: number, start: number, tokenizer: Tokenizer): Token {
  const bytes = [...tokenizer.bytesOf(id)];
  return { index: 0, id, text: tokenizer.textOf(id), bytes, start, end: start, added: true };
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
  };
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
