import assert from 'node:assert/strict';
import { endOf, loopStart } from '../../../../src/engine/suggest/ends';

describe('the end of a suggestion', () => {
  const kept = (text: string, extent: 'line' | 'block', before = '') => {
    const end = endOf(text, extent, before);
    return end === null ? null : text.slice(0, end);
  };

  it('of a line is before its line end, whichever that is', () => {
    assert.equal(kept('foo(bar)', 'line'), null);
    assert.equal(kept('foo(bar)\nbaz', 'line'), 'foo(bar)');
    assert.equal(kept('foo(bar)\r\nbaz', 'line'), 'foo(bar)');
    assert.equal(kept('\nbaz', 'line'), '');
  });

  it('of a block is before a line that is indented less', () => {
    const text = ' 1\n    b = 2\nc';
    assert.equal(kept(text.slice(0, -1), 'block', '    a ='), null);
    assert.equal(kept(text, 'block', '    a ='), ' 1\n    b = 2');
    assert.equal(kept(text.replaceAll('\n', '\r\n'), 'block', '    a ='), ' 1\r\n    b = 2');
  });

  it('of a block is before a blank line, once that is one', () => {
    assert.equal(kept(' 1\n    ', 'block', '    a ='), null);
    assert.equal(kept(' 1\n    \n', 'block', '    a ='), ' 1');
  });

  it('of a block is behind the line that closes what was opened', () => {
    assert.equal(kept(') {\n\treturn 1;\n}', 'block', 'function f('), null);
    assert.equal(kept(') {\n\treturn 1;\n}\nfunction', 'block', 'function f('), ') {\n\treturn 1;\n}');
    assert.equal(kept(':\n  x\ny', 'block', 'if a'), ':\n  x');
  });

  it('is where a loop has gone round once', () => {
    const lead = [7, 8, 9];
    assert.equal(loopStart([...lead, 1, 2, 3, 4, 1, 2, 3, 4]), null);
    assert.equal(loopStart([...lead, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]), 7);
    assert.equal(loopStart([...lead, ...Array(11).fill(5)]), null);
    assert.equal(loopStart([...lead, ...Array(12).fill(5)]), 4);
    assert.equal(loopStart(Array.from({ length: 60 }, (_, index) => index)), null);
  });
});
