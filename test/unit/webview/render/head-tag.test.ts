import assert from 'node:assert/strict';
import type { HeadOverview } from '../../../../src/protocol/trace';
import { headTag, headTagName, mostTellingHead } from '../../../../webview/render/head-tag';

const quiet = { previous: 0.1, first: 0.2, induction: 0.1, duplicate: 0.1, entropy: 3 };

describe('head tags', () => {
  it('name what a head mostly does', () => {
    assert.equal(headTag({ ...quiet, previous: 0.8 }, 40), 'prev');
    assert.equal(headTag({ ...quiet, first: 0.9 }, 40), 'sink');
    assert.equal(headTag({ ...quiet, duplicate: 0.6 }, 40), 'dup');
    assert.equal(headTag(quiet, 40), null);
    assert.equal(headTagName(null), 'mixed');
  });

  it('call a head by its work, not by where it parks the rest', () => {
    assert.equal(headTag({ ...quiet, induction: 0.75, first: 0.71 }, 40), 'ind');
  });

  it('say nothing about a passage without repeats, or of a few tokens', () => {
    assert.equal(headTag({ ...quiet, induction: Number.NaN, duplicate: Number.NaN }, 40), null);
    assert.equal(headTag({ ...quiet, previous: 1 }, 4), null);
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
