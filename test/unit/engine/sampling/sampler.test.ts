import assert from 'node:assert/strict';
import { Generator } from '../../../../src/engine/sampling/generator';
import { SampledDistribution } from '../../../../src/engine/sampling/sampler';
import { NEUTRAL_SAMPLER } from '../../../../src/engine/sampling/settings';
import type { SamplerSettings } from '../../../../src/protocol/trace';

/** Logits of a distribution given by its probabilities. */
function logitsOf(...probabilities: number[]): Float32Array {
  return Float32Array.from(probabilities, Math.log);
}

function sample(logits: Float32Array, settings: Partial<SamplerSettings>): SampledDistribution {
  return new SampledDistribution(logits, { ...NEUTRAL_SAMPLER, ...settings });
}

function keptIds({ ranking, kept }: SampledDistribution): number[] {
  return Array.from({ length: kept }, (_, place) => ranking.idAt(place));
}

function probabilities(distribution: SampledDistribution): number[] {
  return Array.from({ length: distribution.kept }, (_, place) => distribution.probabilityAt(place));
}

describe('sampler', () => {
  it('makes 0.68 and 0.32 of 0.38 and 0.18 that top-p kept', () => {
    const sampled = sample(logitsOf(0.1, 0.38, 0.09, 0.18, 0.15, 0.1), { topP: 0.5 });
    assert.deepEqual(keptIds(sampled), [1, 3]);
    assert.deepEqual(
      probabilities(sampled).map((p) => p.toFixed(2)),
      ['0.68', '0.32'],
    );
    assert.equal(sampled.cut, 'top-p');
  });

  it('keeps everything with neutral settings, the probabilities unchanged', () => {
    const sampled = sample(logitsOf(0.2, 0.5, 0.3), {});
    assert.deepEqual(keptIds(sampled), [1, 2, 0]);
    assert.equal(sampled.cut, null);
    probabilities(sampled).forEach((p, place) => {
      assert.ok(Math.abs(p - [0.5, 0.3, 0.2][place]) < 1e-7);
    });
  });

  it('takes the arg max at temperature 0, of equals the lower id', () => {
    const sampled = sample(Float32Array.of(1, 3, 2, 3), { temperature: 0 });
    assert.deepEqual(keptIds(sampled), [1]);
    assert.deepEqual(probabilities(sampled), [1]);
    assert.equal(sampled.cut, 'temperature 0');
    assert.equal(sampled.draw(0.999999), 0);
  });

  it('divides the logits by the temperature', () => {
    const [first, second] = probabilities(sample(logitsOf(0.8, 0.2), { temperature: 2 }));
    assert.ok(Math.abs(first / second - 2) < 1e-6, 'odds of 4 become their square root');
  });

  it('keeps the token that crosses p, and no more', () => {
    const logits = logitsOf(0.5, 0.25, 0.125, 0.125);
    assert.equal(sample(logits, { topP: 0.5 }).kept, 1);
    assert.equal(sample(logits, { topP: 0.5000001 }).kept, 2);
    assert.equal(sample(logits, { topP: 0.76 }).kept, 3);
    assert.equal(sample(Float32Array.of(0, 0), { topP: 0.5 }).kept, 1, 'p is reached exactly');
  });

  it('measures min-p against the largest probability', () => {
    const sampled = sample(logitsOf(0.4, 0.25, 0.19, 0.16), { minP: 0.45 });
    assert.deepEqual(keptIds(sampled), [0, 1, 2]);
    assert.equal(sampled.cut, 'min-p');
  });

  it('applies top-k before the softmax that top-p and min-p read', () => {
    // Of 0.4, 0.3, 0.3 the first two are 0.57 and 0.43 after top-k, so that p = 0.55 is reached by one; before, by two.
    const sampled = sample(logitsOf(0.4, 0.3, 0.3), { topK: 2, topP: 0.55 });
    assert.equal(sampled.kept, 1);
    assert.equal(sampled.cut, 'top-p');
  });

  it('reads top-p on the distribution before min-p cut it', () => {
    // min-p leaves 0.5 and 0.3; 0.5 + 0.3 do not reach 0.85 of the whole, so that both stay.
    const sampled = sample(logitsOf(0.5, 0.3, 0.1, 0.1), { minP: 0.5, topP: 0.85 });
    assert.equal(sampled.kept, 2);
    assert.equal(sampled.cut, 'min-p');
    assert.ok(Math.abs(sampled.probabilityAt(0) - 0.625) < 1e-7);
  });

  it('names the last rule that cut', () => {
    const logits = logitsOf(0.5, 0.25, 0.125, 0.125);
    assert.equal(sample(logits, { topK: 2, topP: 0.99 }).cut, 'top-k');
    assert.equal(sample(logits, { topK: 3, minP: 0.4 }).cut, 'min-p');
    assert.equal(sample(logits, { topK: 4 }).cut, null);
    assert.equal(sample(logits, { topK: 1000 }).kept, 4);
  });

  it('agrees with a plain implementation on random logits and settings', () => {
    const generator = new Generator(5);
    const pick = (...values: number[]) => values[Math.floor(generator.next() * values.length)];
    for (let round = 0; round < 200; round++) {
      const size = pick(1, 2, 7, 300, 3000);
      // Rounded, so that there are ties.
      const logits = Float32Array.from({ length: size }, () => Math.round(generator.next() * 200 - 150) / 8);
      const settings = {
        temperature: pick(0.2, 1, 1.7),
        topK: pick(0, 1, 5, 500),
        topP: pick(0.1, 0.9, 1),
        minP: pick(0, 0.02, 0.3),
      };
      const expected = plainSampler(logits, settings);
      const sampled = new SampledDistribution(logits, settings);
      assert.deepEqual(keptIds(sampled), expected.ids, JSON.stringify(settings));
      probabilities(sampled).forEach((p, place) => {
        assert.ok(Math.abs(p - expected.probabilities[place]) < 1e-12);
      });
    }
  });

  it('draws each token as often as its probability says', () => {
    const sampled = sample(logitsOf(0.2, 0.5, 0.3), {});
    const drawn = [0, 0.499, 0.501, 0.799, 0.801, 1 - 2 ** -53].map((u) => sampled.draw(u));
    assert.deepEqual(drawn, [0, 0, 1, 1, 2, 2]);
  });

  it('never draws a token that the model rules out', () => {
    const sampled = sample(Float32Array.of(0, Number.NEGATIVE_INFINITY, 0), {});
    assert.equal(sampled.ranking.idAt(sampled.draw(1 - 2 ** -53)), 2);
  });

  it('refuses impossible settings with their name', () => {
    const logits = logitsOf(0.5, 0.5);
    const refused: [Partial<SamplerSettings>, RegExp][] = [
      [{ temperature: -1 }, /temperature is -1/],
      [{ temperature: Number.NaN }, /temperature is NaN/],
      [{ temperature: Number.POSITIVE_INFINITY }, /temperature/],
      [{ topK: 1.5 }, /top-k is 1\.5/],
      [{ topP: 0 }, /top-p is 0/],
      [{ topP: 1.01 }, /top-p/],
      [{ minP: 2 }, /min-p is 2/],
    ];
    for (const [settings, message] of refused) {
      assert.throws(() => sample(logits, settings), { code: 'argument-invalid', message });
    }
  });

  it('refuses logits that are no distribution', () => {
    for (const logits of [[1, Number.NaN], [Number.POSITIVE_INFINITY, 1], [Number.NEGATIVE_INFINITY]]) {
      assert.throws(() => sample(Float32Array.from(logits), {}), { code: 'model-invalid' });
    }
  });
});

/** The definition, word for word, with full sorts. */
function plainSampler(logits: Float32Array, { temperature, topK, topP, minP }: SamplerSettings) {
  let tokens = Array.from(logits, (logit, id) => ({ id, scaled: logit / temperature, p: 0 }));
  tokens.sort((a, b) => b.scaled - a.scaled || a.id - b.id);
  tokens = tokens.slice(0, topK || tokens.length);
  const sum = tokens.reduce((total, { scaled }) => total + Math.exp(scaled), 0);
  tokens = tokens.map((token) => ({ ...token, p: Math.exp(token.scaled) / sum }));
  tokens = tokens.filter(({ p }) => p >= minP * tokens[0].p);
  if (topP < 1) {
    let reached = 0;
    tokens = tokens.filter(({ p }) => {
      const before = reached;
      reached += p;
      return before < topP;
    });
  }
  const left = tokens.reduce((total, { p }) => total + p, 0);
  return { ids: tokens.map(({ id }) => id), probabilities: tokens.map(({ p }) => p / left) };
}
