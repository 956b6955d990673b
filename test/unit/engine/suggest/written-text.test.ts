import assert from 'node:assert/strict';
import { WrittenText } from '../../../../src/engine/suggest/written-text';

describe('WrittenText', () => {
  it('holds bytes until their character is whole', () => {
    const written = new WrittenText();
    const bytes = new TextEncoder().encode('é😀');
    const added = Array.from(bytes, (byte) => written.add(Uint8Array.of(byte)));
    assert.deepEqual(added, ['', 'é', '', '', '', '😀']);
    assert.equal(written.text, 'é😀');
  });

  it('keeps a byte order mark', () => {
    const written = new WrittenText();
    assert.equal(written.add(new TextEncoder().encode('\ufeffa')), '\ufeffa');
  });

  it('says when bytes are no text', () => {
    const written = new WrittenText();
    written.add(new TextEncoder().encode('a'));
    assert.equal(written.add(Uint8Array.of(0xc3, 0x28)), null);
    assert.equal(written.text, 'a');
  });
});
