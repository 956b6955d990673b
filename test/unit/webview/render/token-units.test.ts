import assert from 'node:assert/strict';
import { lineUnits, symbolUnits, wordUnits } from '../../../../webview/render/token-units';

/** Tokens that cut a text at these marks. */
function cut(marked: string): { text: string; tokens: { start: number; end: number }[] } {
  const parts = marked.split('|');
  let end = 0;
  const tokens = parts.map((part) => {
    const start = end;
    end += part.length;
    return { start, end };
  });
  return { text: parts.join(''), tokens };
}

describe('units of tokens', () => {
  it('are words with the space before them, and signs by themselves', () => {
    const { text, tokens } = cut('The| light|house| keeper|,| and| he|y|.');
    const { starts, labels } = wordUnits(tokens, text);
    assert.deepEqual(starts, [0, 1, 3, 4, 5, 6, 8]);
    assert.deepEqual([...labels.values()], ['The', 'lighthouse', 'keeper', ',', 'and', 'hey', '.']);
  });

  it('keep the tokens of one character together', () => {
    const text = '灯';
    const tokens = [0, 0, 0].map((start) => ({ start, end: 1 }));
    assert.deepEqual(wordUnits(tokens, text).starts, [0]);
  });

  it('are lines, each with the break at its end', () => {
    const { text, tokens } = cut('a| b|\n|\n|  c|;\n|d');
    const { starts, labels } = lineUnits(tokens, text);
    assert.deepEqual(starts, [0, 3, 4, 6]);
    assert.equal(labels.get(4), 'c;');
  });

  it('are the innermost symbols, and lines outside of them', () => {
    const { text, tokens } = cut('x| =| 1|\n|f|(|)| {|\n| g|(|)|\n|}');
    const outer = { name: 'f', start: text.indexOf('f'), end: text.length };
    const inner = { name: 'g', start: text.indexOf('g'), end: text.indexOf('g') + 3 };
    const { starts, labels } = symbolUnits(tokens, text, [outer, inner]);
    assert.deepEqual(starts, [0, 4, 9, 12]);
    assert.deepEqual(
      starts.map((start) => labels.get(start)),
      ['x·=·1', 'f', 'g', 'f'],
    );
  });

  it('leave the token alone that the model is used to find before a text', () => {
    const { text, tokens } = cut('one| two');
    const added = [{ start: 0, end: 0, added: true }, ...tokens];
    for (const units of [wordUnits(added, text), lineUnits(added, text)]) {
      assert.equal(units.starts[1], 1);
      assert.equal(units.labels.get(0), '⊢');
    }
  });
});
