import assert from 'node:assert/strict';
import type { Token } from '../../../../src/protocol/tokens';
import { layOutTokens, type Piece } from '../../../../webview/render/token-lines';

/** Tokens that cut a text at code units; a pair of numbers gives start and end of tokens that share characters. */
function tokensOf(text: string, edges: readonly (string | readonly [number, number])[]): Token[] {
  let at = 0;
  return edges.map((edge, index) => {
    const [start, end] = typeof edge === 'string' ? [at, at + edge.length] : edge;
    at = end;
    return { index, id: index, text: text.slice(start, end), bytes: [], start, end };
  });
}

function shown(piece: Piece): string {
  const text = piece.runs.map((run) => run.text).join('');
  return piece.kind === 'token' ? text : `${text}×${piece.bands.length}`;
}

function layOut(text: string, edges: Parameters<typeof tokensOf>[1], firstLine = 1): [number, string[]][] {
  return layOutTokens(text, tokensOf(text, edges), firstLine).map((line) => [line.number, line.pieces.map(shown)]);
}

describe('token lines', () => {
  it('keep the document’s lines and their numbers', () => {
    assert.deepEqual(layOut('a b\n\nc', ['a', ' b', '\n', '\n', 'c'], 12), [
      [12, ['a', '·b', '⏎']],
      [13, ['⏎']],
      [14, ['c']],
    ]);
  });

  it('cut a token that goes over line ends, open towards its other parts', () => {
    const text = 'x\n\n  y';
    const [first, second, third] = layOutTokens(text, tokensOf(text, ['x', '\n\n  ', 'y']), 1);
    const ends = [first.pieces[1], second.pieces[0], third.pieces[0]].map(
      (piece) => piece.kind === 'token' && [piece.opens, piece.closes, piece.onlyBreak],
    );
    assert.deepEqual(ends, [
      [true, false, true],
      [false, false, true],
      [false, true, false],
    ]);
  });

  it('take a carriage return and its line feed as one line end, also in two tokens', () => {
    assert.deepEqual(layOut('a\r\nb', ['a', '\r\n', 'b']), [
      [1, ['a', '␍⏎']],
      [2, ['b']],
    ]);
    assert.deepEqual(layOut('a\r\nb', ['a', '\r', '\n', 'b']), [
      [1, ['a', '␍', '⏎']],
      [2, ['b']],
    ]);
  });

  it('draw tokens that share a character as one glyph with a band each', () => {
    const text = ' 👋!';
    const [line] = layOutTokens(text, tokensOf(text, [[0, 3], [1, 3], '!']), 1);
    assert.deepEqual(line.pieces.map(shown), ['·👋×2', '!']);
    const shared = line.pieces[0];
    assert.ok(shared.kind === 'shared');
    // The blank is the first token's alone; the wide character is halved.
    assert.deepEqual(shared.bands, [
      { index: 0, share: 2 / 3 },
      { index: 1, share: 1 / 3 },
    ]);
  });

  it('chain tokens that each share a character with the next', () => {
    const text = '你好';
    assert.deepEqual(
      layOut(text, [
        [0, 1],
        [0, 2],
        [1, 2],
      ]),
      [[1, ['你好×3']]],
    );
  });

  it('keep a grapheme together that tokens cut between its characters', () => {
    assert.deepEqual(layOut('e\u0301x', ['e', '\u0301', 'x']), [[1, ['e\u0301×2', 'x']]]);
  });

  it('do not stack a thousand accents', () => {
    const text = `e${'\u0301'.repeat(100)}`;
    const lines = layOut(text, [...text]);
    assert.equal(lines[0][1][0].endsWith('×16'), true);
    assert.equal(lines[0][1].length, 7);
  });

  it('show a token without text by its own name', () => {
    const tokens: Token[] = [{ index: 0, id: 1, text: '<s>', bytes: [], start: 0, end: 0 }, ...tokensOf('a', ['a'])];
    assert.deepEqual(layOutTokens('a', tokens, 1)[0].pieces.map(shown), ['<s>', 'a']);
  });

  it('number lines from the first token, where the beginning was not read', () => {
    assert.deepEqual(layOut('a\nb\nc', [[2, 3], '\n', 'c'], 5), [
      [6, ['b', '⏎']],
      [7, ['c']],
    ]);
  });

  it('lay out nothing as one empty line', () => {
    assert.deepEqual(layOut('', []), [[1, []]]);
  });
});
