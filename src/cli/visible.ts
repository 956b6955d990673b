/**
 * A token's text as a terminal can show it: spaces stay, other whitespace and control characters become signs, since a
 * text from anywhere must not be able to steer the terminal or turn its writing direction round.
 */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, signFor);
}

function signFor(character: string): string {
  switch (character) {
    case '\n':
      return '⏎';
    case '\t':
      return '→';
    default: {
      const code = character.charCodeAt(0);
      // Unicode has pictures of the ASCII controls: ␀ at U+2400.
      return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '␡' : '�';
    }
  }
}
