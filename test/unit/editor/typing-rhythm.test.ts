import assert from 'node:assert/strict';
import { TypingRhythm } from '../../../src/editor/typing-rhythm';

function waitAfter(gaps: readonly number[]): number {
  const rhythm = new TypingRhythm();
  let now = 0;
  rhythm.keyPressed(now);
  for (const gap of gaps) {
    now += gap;
    rhythm.keyPressed(now);
  }
  return rhythm.wait;
}

describe('TypingRhythm', () => {
  it('waits a little longer than from one key to the next', () => {
    const wait = waitAfter(Array(20).fill(80));
    assert.ok(wait > 80 && wait < 160, `${wait}`);
    assert.ok(waitAfter(Array(20).fill(150)) > wait);
  });

  it('hardly waits where every key is followed by a pause, nor where a key is held down', () => {
    assert.equal(waitAfter(Array(20).fill(600)), 30);
    assert.equal(waitAfter(Array(40).fill(5)), 30);
  });

  it('takes a long rest for no rhythm', () => {
    const typed = Array(20).fill(80);
    assert.equal(waitAfter([...typed, 60_000]), waitAfter(typed));
  });
});
