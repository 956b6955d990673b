import assert from 'node:assert/strict';
import type { HeadOverview } from '../../../../src/protocol/trace';
import { headTag, headTagName, mostTellingHead, randomScoresOf } from '../../../../webview/render/head-tag';

const quiet = { previous: 0.1, first: 0.2, induction: 0.1, duplicate: 0.1, entropy: 3 };

describe('head tags', () => {
  it('name what a head mostly does', () => {
    const seenOn = 'this passage';
    assert.deepEqual(headTag({ ...quiet, previous: 0.8 }, 40, null), { kind: 'prev', seenOn });
    assert.deepEqual(headTag({ ...quiet, first: 0.9 }, 40, null), { kind: 'sink', seenOn });
    assert.deepEqual(headTag({ ...quiet, duplicate: 0.6 }, 40, null), { kind: 'dup', seenOn });
    assert.equal(headTag(quiet, 40, null), null);
    assert.equal(headTagName(null), 'mixed');
    assert.equal(headTagName({ kind: 'dup', seenOn }), 'duplicate token');
  });

  it('call a head by its work, not by where it parks the rest', () => {
    assert.equal(headTag({ ...quiet, induction: 0.75, first: 0.71 }, 40, null)?.kind, 'ind');
  });

  it('say nothing about a passage without repeats, or of a few tokens', () => {
    assert.equal(headTag({ ...quiet, induction: Number.NaN, duplicate: Number.NaN }, 40, null), null);
    assert.equal(headTag({ ...quiet, previous: 1 }, 4, null), null);
  });

  it('rest on random tokens where those show it, also on a passage that does not', () => {
    const random = { repeated: { ...quiet, induction: 0.9 }, control: quiet };
    assert.deepEqual(headTag(quiet, 4, random), { kind: 'ind', seenOn: 'random tokens' });
    assert.deepEqual(headTag({ ...quiet, previous: 0.8 }, 40, { repeated: quiet, control: quiet }), {
      kind: 'prev',
      seenOn: 'this passage',
    });
  });

  it('take what needs a repetition for what it is above the control', () => {
    const everywhere = { ...quiet, induction: 0.4, duplicate: 0.5 };
    assert.equal(headTag(quiet, 40, { repeated: everywhere, control: everywhere }), null);
    const looksBack = { ...quiet, previous: 0.9 };
    assert.equal(headTag(quiet, 40, { repeated: looksBack, control: looksBack })?.kind, 'prev');
  });

  it('find no random scores for a head that the scored model does not have', () => {
    assert.equal(randomScoresOf(null, 0, 0), null);
  });

  it('begin with the head that shows most', () => {
    const columns = (values: number[]) => Float32Array.from(values);
    const overview: HeadOverview = {
      layers: 2,
      heads: 2,
      side: 1,
      thumbnails: new Uint8Array(4),
      statistics: {
        previous: columns([0.1, 0.7, 0.2, 0.1]),
        first: columns([0, 0, 0, 0]),
        induction: columns([0, 0, 0.5, Number.NaN]),
        duplicate: columns([0, 0, 0, 0]),
        entropy: columns([1, 1, 1, 1]),
      },
    };
    assert.deepEqual(mostTellingHead(overview), { layer: 1, head: 0 });
  });
});
