import assert from 'node:assert/strict';
import { wholeCharacters } from '../../../../webview/render/whole-characters';

const token = (...bytes: number[]) => ({ text: new TextDecoder().decode(Uint8Array.from(bytes)), bytes });
const ascii = (text: string) => token(...new TextEncoder().encode(text));
const stretchesOf = (tokens: ReturnType<typeof token>[]) =>
  wholeCharacters(tokens).map(({ from, to, text }) => [from, to, text]);

describe('tokens in stretches of whole characters', () => {
  it('are themselves where each is text', () => {
    assert.deepEqual(stretchesOf([ascii('one'), ascii(' two'), ascii('\n')]), [
      [0, 1, 'one'],
      [1, 2, ' two'],
      [2, 3, '\n'],
    ]);
    assert.deepEqual(stretchesOf([]), []);
  });

  it('go together where they share a character, or a chain of them', () => {
    const [a, b, c, d] = new TextEncoder().encode('🦉');
    assert.deepEqual(stretchesOf([ascii('an'), token(0x20, a, b), token(c), token(d), ascii(' owl')]), [
      [0, 1, 'an'],
      [1, 4, ' 🦉'],
      [4, 5, ' owl'],
    ]);
    // 灯光: the second token ends the first character and begins the next.
    const bytes = [...new TextEncoder().encode('灯光')];
    assert.deepEqual(
      stretchesOf([token(...bytes.slice(0, 2)), token(...bytes.slice(2, 4)), token(...bytes.slice(4))]),
      [[0, 3, '灯光']],
    );
  });

  it('stay alone where no character comes of them', () => {
    const [a, b] = new TextEncoder().encode('é');
    // The rest never comes; a rest without a beginning; a beginning that is followed by another.
    assert.deepEqual(stretchesOf([ascii('x'), token(a)]), [
      [0, 1, 'x'],
      [1, 2, '\ufffd'],
    ]);
    assert.deepEqual(stretchesOf([token(b), ascii('x')]), [
      [0, 1, '\ufffd'],
      [1, 2, 'x'],
    ]);
    assert.deepEqual(stretchesOf([token(0xe7), token(a, b)]), [
      [0, 1, '\ufffd'],
      [1, 2, 'é'],
    ]);
  });

  it('keep a mark of the byte order, which is a character like others', () => {
    assert.deepEqual(stretchesOf([token(0xef, 0xbb), token(0xbf)]), [[0, 2, '\ufeff']]);
  });
});
