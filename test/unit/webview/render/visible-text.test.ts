import assert from 'node:assert/strict';
import { isWholeText, shortLabel, tokenLabel, visibleRuns, visibleText } from '../../../../webview/render/visible-text';

function token(text: string, bytes?: readonly number[]) {
  return { text, bytes: bytes ?? [...new TextEncoder().encode(text)] };
}

describe('visible text', () => {
  it('shows whitespace and line ends as signs', () => {
    assert.deepEqual(visibleRuns('\t a b\r\n'), [
      { text: '→·', sign: true },
      { text: 'a', sign: false },
      { text: '·', sign: true },
      { text: 'b', sign: false },
      { text: '␍⏎', sign: true },
    ]);
  });

  it('shows what has no shape or would reorder the text', () => {
    assert.equal(visibleText('\0'), '␀');
    assert.equal(visibleText('a\u200bb'), 'a[200B]b');
    assert.equal(visibleText('\u202e'), '[202E]');
    assert.equal(visibleText('\ud800'), '[D800]');
  });

  it('leaves joined emoji and right-to-left letters alone', () => {
    assert.equal(visibleText('👨‍👩‍👧'), '👨‍👩‍👧');
    assert.equal(visibleText('שלום'), 'שלום');
  });

  it('names tokens that are no whole characters by their bytes', () => {
    assert.equal(tokenLabel(token(' \ufffd', [0x20, 0xf0, 0x9f, 0x91])), '·F09F91');
    assert.equal(tokenLabel(token('\ufffd', [0x8b])), '8B');
    assert.equal(tokenLabel(token(' step')), '·step');
  });

  it('does not mistake a replacement character in the text for broken bytes', () => {
    assert.equal(isWholeText(token('\ufffd', [0xef, 0xbf, 0xbd])), true);
    assert.equal(tokenLabel(token('\ufffd', [0xef, 0xbf, 0xbd])), '\ufffd');
  });

  it('shortens by characters, not by code units', () => {
    assert.equal(shortLabel('👋👋👋', 3), '👋👋👋');
    assert.equal(shortLabel('registering', 10), 'registeri…');
  });
});
