import type { Token } from '../../src/protocol/tokens';

/** A stretch of text as it is drawn: ordinary characters, or faint signs for characters that have no shape. */
export interface VisibleRun {
  readonly text: string;
  /** True for signs that stand for whitespace and control characters. */
  readonly sign: boolean;
}

const SIGNS: ReadonlyMap<number, string> = new Map([
  [0x20, '·'],
  [0x09, '→'],
  [0x0a, '⏎'],
  [0x0d, '␍'],
  [0x7f, '␡'],
  [0xa0, '⍽'],
]);

/** Characters that take no room or reorder what is around them: they must not act, only show. */
const SHAPELESS = /[\u0080-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb]/u;

/** U+200D joins emoji inside one grapheme; there it is part of a shape and stays. */
const JOINER = 0x200d;

function signFor(codePoint: number, alone: boolean): string | null {
  const known = SIGNS.get(codePoint);
  if (known !== undefined) {
    return known;
  }
  if (codePoint < 0x20) {
    return String.fromCharCode(0x2400 + codePoint);
  }
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) {
    return `[${hex(codePoint)}]`;
  }
  if (codePoint === JOINER && !alone) {
    return null;
  }
  return SHAPELESS.test(String.fromCodePoint(codePoint)) ? `[${hex(codePoint)}]` : null;
}

function hex(codePoint: number): string {
  return codePoint.toString(16).toUpperCase().padStart(4, '0');
}

/** Text with a sign for everything that would not be seen, in runs of the same kind. */
export function visibleRuns(text: string): VisibleRun[] {
  const runs: { text: string; sign: boolean }[] = [];
  const alone = text.length === 1;
  for (const character of text) {
    const sign = signFor(character.codePointAt(0)!, alone);
    const last = runs.at(-1);
    const shown = sign ?? character;
    if (last !== undefined && last.sign === (sign !== null)) {
      last.text += shown;
    } else {
      runs.push({ text: shown, sign: sign !== null });
    }
  }
  return runs;
}

/** The same in one string, for axes, announcements and tooltips. */
export function visibleText(text: string): string {
  return visibleRuns(text)
    .map((run) => run.text)
    .join('');
}

const REPLACEMENT = '\ufffd';
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Whether the bytes are whole characters on their own. */
export function isWholeText(token: Pick<Token, 'text' | 'bytes'>): boolean {
  if (!token.text.includes(REPLACEMENT)) {
    return true;
  }
  try {
    strictUtf8.decode(Uint8Array.from(token.bytes));
    return true;
  } catch {
    return false;
  }
}

/**
 * What names a token on an axis: its visible text, or where its bytes are no whole characters, the leading readable
 * part followed by the rest in hex.
 */
export function tokenLabel(token: Pick<Token, 'text' | 'bytes'>): string {
  if (isWholeText(token)) {
    return visibleText(token.text);
  }
  let readable = 0;
  while (readable < token.bytes.length && token.bytes[readable] < 0x80) {
    readable++;
  }
  const rest = token.bytes.slice(readable).map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'));
  return visibleText(String.fromCharCode(...token.bytes.slice(0, readable))) + rest.join('');
}

/** Shortens a label to a number of characters, the last of them an ellipsis. */
export function shortLabel(label: string, length: number): string {
  const characters = [...label];
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : label;
}
