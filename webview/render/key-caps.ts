/** What package.json binds `headlight.inspectSelection` to. The editor does not tell a panel what a user made of it. */
export const INSPECT_KEYS = 'ctrl+alt+h';

const MAC_CAPS: Readonly<Record<string, string>> = { ctrl: '⌃', alt: '⌥', shift: '⇧', cmd: '⌘' };

/** A keybinding as the captions of its keys. */
export function keyCaps(keys: string, isMac: boolean): string[] {
  return keys.split('+').map((key) => (isMac && MAC_CAPS[key]) || `${key[0].toUpperCase()}${key.slice(1)}`);
}
