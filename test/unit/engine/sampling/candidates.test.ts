import assert from 'node:assert/strict';
import { listCandidates } from '../../../../src/engine/sampling/candidates';
import { NEUTRAL_SAMPLER } from '../../../../src/engine/sampling/settings';

const logits = Float32Array.from({ length: 1000 }, (_, id) => (id === 17 ? 6 : Math.sin(id) * 3));

describe('candidates', () => {
  it('give both probabilities, named apart', () => {
    const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
    const { candidates, kept, cut, vocabSize } = listCandidates(logits, { ...NEUTRAL_SAMPLER, topK: 2 }, 5, null);
    assert.equal(vocabSize, 1000);
    assert.equal(kept, 2);
    assert.equal(cut, 'top-k');
    assert.equal(candidates.length, 5);
    assert.equal(candidates[0].id, 17);
    for (const { id, probability } of candidates) {
      assert.ok(Math.abs(probability - Math.exp(logits[id]) / sum) < 1e-12);
    }
    assert.ok(Math.abs(candidates[0].samplerProbability + candidates[1].samplerProbability - 1) < 1e-12);
    assert.equal(candidates[2].samplerProbability, 0);
    assert.deepEqual(
      candidates.map(({ rank }) => rank),
      [1, 2, 3, 4, 5],
    );
  });

  it('are the limit or all that was kept up to 40, and never more than there are', () => {
    const listed = (topK: number, limit: number) =>
      listCandidates(logits, { ...NEUTRAL_SAMPLER, topK }, limit, null).candidates.length;
    assert.equal(listed(25, 10), 25);
    assert.equal(listed(0, 10), 40);
    assert.equal(listed(5, 10), 10);
    assert.equal(listed(0, 60), 60);
    assert.equal(listed(0, 5000), 1000);
  });

  it('share the better rank where they are equal', () => {
    const { candidates } = listCandidates(Float32Array.of(1, 4, 4, 0), NEUTRAL_SAMPLER, 4, null);
    assert.deepEqual(
      candidates.map(({ id, rank }) => [id, rank]),
      [
        [1, 1],
        [2, 1],
        [0, 3],
        [3, 4],
      ],
    );
  });

  it('come with the strip of what was kept, at most 256 long', () => {
    const strip = (topK: number) => listCandidates(logits, { ...NEUTRAL_SAMPLER, topK }, 1, null).keptProbabilities;
    assert.equal(strip(0).length, 256);
    assert.equal(strip(3).length, 3);
    assert.ok(Math.abs(strip(3).reduce((sum, p) => sum + p, 0) - 1) < 1e-6);
  });

  it('draw the same token for the same seed, and others for others', () => {
    const draw = (seed: number) => listCandidates(logits, NEUTRAL_SAMPLER, 1, seed).draw!;
    assert.deepEqual(draw(7), draw(7));
    assert.ok(new Set(Array.from({ length: 50 }, (_, seed) => draw(seed).candidate.id)).size > 10);
    assert.equal(listCandidates(logits, NEUTRAL_SAMPLER, 1, null).draw, null);
  });

  it('draw where u falls on the cumulative distribution', () => {
    const { draw, candidates } = listCandidates(logits, { ...NEUTRAL_SAMPLER, topK: 40 }, 40, 3);
    let below = 0;
    for (const { id, samplerProbability } of candidates) {
      if (id === draw!.candidate.id) {
        assert.ok(draw!.u >= below - 1e-12 && draw!.u < below + samplerProbability + 1e-12);
        return;
      }
      below += samplerProbability;
    }
    assert.fail('the drawn token was not among the kept');
  });

  it('refuse a seed or a limit that is no whole number', () => {
    assert.throws(() => listCandidates(logits, NEUTRAL_SAMPLER, 10, 0.5), {
      code: 'argument-invalid',
      message: /seed/,
    });
    assert.throws(() => listCandidates(logits, NEUTRAL_SAMPLER, -1, null), { code: 'argument-invalid' });
  });
});
