import assert from 'node:assert/strict';
import { SuggestionMemory } from '../../../src/editor/suggestion-memory';
import type { Suggestion } from '../../../src/protocol/suggestion';

const SOURCE = '0 file:///a.ts';

function suggestion(text: string): Suggestion {
  return { text, probability: 0.5, tokens: [], ended: 'line' };
}

function remembering(text: string, suggested: readonly string[], withAlternatives = true): SuggestionMemory {
  const memory = new SuggestionMemory();
  memory.add({ source: SOURCE, text, suggestions: suggested.map(suggestion), withAlternatives });
  return memory;
}

/** What is left to type of each suggestion that still fits. */
function leftOf(memory: SuggestionMemory, text: string, withAlternatives = false): readonly string[] | null {
  return memory.find(SOURCE, text, withAlternatives)?.map((fit) => fit.suggestion.text.slice(fit.typed)) ?? null;
}

describe('SuggestionMemory', () => {
  it('answers every key that is typed as suggested, character by character', () => {
    const whole = 'log("naïve 😀");';
    const memory = remembering('console.', [whole]);
    let typed = '';
    for (const character of whole) {
      assert.deepEqual(leftOf(memory, `console.${typed}`), [whole.slice(typed.length)]);
      typed += character;
    }
    // All of it is written: what follows is not known.
    assert.equal(leftOf(memory, `console.${whole}`), null);
  });

  it('keeps the alternatives that still fit', () => {
    const memory = remembering('con', ['st a', 'sole', 'stant']);
    assert.deepEqual(leftOf(memory, 'const'), [' a', 'ant']);
    assert.deepEqual(leftOf(memory, 'consol'), ['e']);
    assert.equal(leftOf(memory, 'cone'), null);
    assert.equal(leftOf(memory, 'co'), null);
  });

  it('takes the line ends of a document for those of a suggestion, whichever either writes', () => {
    const typed = 'if (x) {\r\n\treturn';
    assert.deepEqual(leftOf(remembering('if', [' (x) {\n\treturn 1;']), typed), [' 1;']);
    assert.deepEqual(leftOf(remembering('if', [' (x) {\r\n\treturn 1;']), typed), [' 1;']);
    assert.deepEqual(leftOf(remembering('if', [' (x) {\r\n\treturn 1;']), typed.replace('\r', '')), [' 1;']);
  });

  it('knows where nothing is suggested, and only there', () => {
    const memory = remembering('the end', []);
    assert.deepEqual(leftOf(memory, 'the end'), []);
    assert.equal(leftOf(memory, 'the end.'), null);
  });

  it('has no alternatives where none were asked for', () => {
    const memory = remembering('con', ['sole'], false);
    assert.equal(leftOf(memory, 'con', true), null);
    assert.deepEqual(leftOf(memory, 'con', false), ['sole']);
  });

  it('answers for its own document and window only, and forgets what is old', () => {
    const memory = remembering('con', ['sole']);
    assert.equal(memory.find('512 file:///a.ts', 'con', false), null);
    for (let other = 0; other < 40; other++) {
      memory.add({ source: SOURCE, text: `let ${other}`, suggestions: [suggestion(' =')], withAlternatives: true });
    }
    assert.equal(leftOf(memory, 'con'), null);
    assert.deepEqual(leftOf(memory, 'let 39'), [' =']);
    memory.clear();
    assert.equal(leftOf(memory, 'let 39'), null);
  });
});
