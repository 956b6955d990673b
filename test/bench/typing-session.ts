/** A key as it is typed: a character, or the one that takes the last one back. */
export type Key = string | typeof BACKSPACE;

export const BACKSPACE = 'Backspace';

/** After so many keys a wrong one is hit, noticed with the next, and taken back. */
const BETWEEN_SLIPS = 23;

/**
 * A part of a text as someone types it who knows what they want to write, whatever is suggested.
 *
 * @param count how many keys there are
 */
export function typingSession(text: string, count: number): readonly Key[] {
  const keys: Key[] = [];
  for (let at = 0; keys.length < count; at++) {
    if (at % BETWEEN_SLIPS === BETWEEN_SLIPS - 1) {
      keys.push('k', text[at], BACKSPACE, BACKSPACE);
    }
    keys.push(text[at]);
  }
  return keys.slice(0, count);
}

/** What stands before the caret after a key. */
export function typed(text: string, key: Key): string {
  return key === BACKSPACE ? text.slice(0, -1) : text + key;
}
