import type { PassageSymbol } from '../../src/protocol/panel';
import type { Token } from '../../src/protocol/tokens';
import { visibleText } from './visible-text';

/** What tokens can be merged to. */
export type UnitKind = 'token' | 'word' | 'line' | 'symbol';

/** Tokens merged to the units of their text. */
export interface TokenUnits {
  /** First token of each unit, ascending from 0. */
  readonly starts: readonly number[];
  /** What each is called, by its first token. */
  readonly labels: ReadonlyMap<number, string>;
}

type Place = Pick<Token, 'start' | 'end' | 'added'>;

/** Words as Unicode knows them, with the white space before each; Chinese is segmented too. Signs are words of their own. */
export function wordUnits(tokens: readonly Place[], text: string): TokenUnits {
  const wordOf = new Uint32Array(text.length + 1);
  let word = 0;
  let blank = false;
  for (const { segment, index } of new Intl.Segmenter(undefined, { granularity: 'word' }).segment(text)) {
    // What follows white space belongs to it, as in most tokens.
    word += blank ? 0 : 1;
    wordOf.fill(word, index, index + segment.length);
    blank = /^\s+$/.test(segment);
  }
  return unitsBy(tokens, text, (token) => wordOf[firstInk(text, token)]);
}

export function lineUnits(tokens: readonly Place[], text: string): TokenUnits {
  const breaks = [...text.matchAll(/\r\n|\r|\n/g)].map(({ index, 0: found }) => index + found.length);
  return unitsBy(tokens, text, (token) => {
    const after = breaks.findLastIndex((end) => end <= token.start);
    return after;
  });
}

/** Runs of tokens within the same innermost symbol; what stands in none is merged by lines. */
export function symbolUnits(tokens: readonly Place[], text: string, symbols: readonly PassageSymbol[]): TokenUnits {
  const lines = lineUnits(tokens, text);
  const inOrder = [...symbols.keys()].sort((a, b) => sizeOf(symbols[a]) - sizeOf(symbols[b]));
  const ownerOf = (token: Place) => {
    const at = firstInk(text, token);
    return inOrder.find((index) => symbols[index].start <= at && at < symbols[index].end) ?? null;
  };
  const owners = tokens.map((token) => (token.added ? null : ownerOf(token)));
  let line = -1;
  const keys = tokens.map((_, index) => {
    line += lines.labels.has(index) ? 1 : 0;
    const owner = owners[index];
    return owner === null ? -1 - line : owner;
  });
  const units = unitsBy(tokens, text, (_, index) => keys[index]);
  const labels = new Map(units.labels);
  for (const start of units.starts) {
    const owner = owners[start];
    if (owner !== null) {
      labels.set(start, symbols[owner].name);
    }
  }
  return { starts: units.starts, labels };
}

function sizeOf({ start, end }: PassageSymbol): number {
  return end - start;
}

/** Where a token's first character stands that is no white space; its start where it has none. */
function firstInk(text: string, { start, end }: Place): number {
  const ink = text.slice(start, end).search(/\S/);
  return start + Math.max(0, ink);
}

/** A new unit wherever the key changes. A token that the text does not hold is one by itself. */
function unitsBy(tokens: readonly Place[], text: string, keyOf: (token: Place, index: number) => number): TokenUnits {
  const starts: number[] = [];
  let last: number | null = null;
  tokens.forEach((token, index) => {
    const key = token.added ? null : keyOf(token, index);
    if (index === 0 || key !== last || token.added) {
      starts.push(index);
    }
    last = key;
  });
  const labels = new Map<number, string>();
  starts.forEach((start, at) => {
    const end = (starts[at + 1] ?? tokens.length) - 1;
    const own = text.slice(tokens[start].start, tokens[end].end);
    labels.set(start, tokens[start].added ? '⊢' : visibleText(own.trim() === '' ? own : own.trim()));
  });
  return { starts, labels };
}
