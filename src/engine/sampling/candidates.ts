import { HeadlightError } from '../../protocol/errors';
import type { Candidate, CandidateList, SamplerSettings } from '../../protocol/trace';
import { Generator } from './generator';
import type { Ranking } from './ranking';
import { SampledDistribution } from './sampler';
import { logSumExp } from './softmax';

/** What the sampler kept is listed up to here, however few were asked for. */
const KEPT_LISTED = 40;
const STRIP_LENGTH = 256;

/** A `Candidate` before the tokenizer gave it its text. */
export type RankedToken = Omit<Candidate, 'text' | 'bytes'>;

/** A `CandidateList` whose candidates have no text yet. */
export type RankedCandidates = Omit<CandidateList, 'candidates' | 'draw'> & {
  readonly candidates: readonly RankedToken[];
  readonly draw: { readonly u: number; readonly candidate: RankedToken } | null;
};

/**
 * The candidates for the next token, most probable first.
 *
 * @param logits [V], as the model gave them
 * @param limit how many are listed at least; all that the sampler kept are, up to 40
 * @param seed draws one token, always the same for the same seed, logits and settings; null draws none
 * @throws HeadlightError `argument-invalid` for impossible settings, limit or seed
 */
export function listCandidates(
  logits: Float32Array,
  settings: SamplerSettings,
  limit: number,
  seed: number | null,
): RankedCandidates {
  if (!Number.isInteger(limit) || limit < 0) {
    throw new HeadlightError(
      'argument-invalid',
      `${limit} candidates cannot be listed: ask for a whole number from 0.`,
    );
  }
  if (seed !== null && !Number.isSafeInteger(seed)) {
    throw new HeadlightError('argument-invalid', `The seed ${seed} is not a whole number: give one, such as 1.`);
  }
  const sampled = new SampledDistribution(logits, settings);
  const { ranking } = sampled;
  const vocabSize = logits.length;
  const logTotal = logSumExp(logits);
  const token = (place: number): RankedToken => ({
    id: ranking.idAt(place),
    probability: Math.exp(logits[ranking.idAt(place)] - logTotal),
    samplerProbability: sampled.probabilityAt(place),
    rank: firstEqual(logits, ranking, place) + 1,
  });
  const listed = Math.min(vocabSize, Math.max(limit, Math.min(sampled.kept, KEPT_LISTED)));
  return {
    candidates: Array.from({ length: listed }, (_, place) => token(place)),
    kept: sampled.kept,
    vocabSize,
    cut: sampled.cut,
    keptProbabilities: Float32Array.from({ length: Math.min(sampled.kept, STRIP_LENGTH) }, (_, place) =>
      sampled.probabilityAt(place),
    ),
    draw: seed === null ? null : draw(sampled, seed, token),
  };
}

function draw(sampled: SampledDistribution, seed: number, token: (place: number) => RankedToken) {
  const u = new Generator(seed).next();
  return { u, candidate: token(sampled.draw(u)) };
}

/** Tokens with equal logits share the better rank, though the one with the lower id is listed first. */
function firstEqual(logits: Float32Array, ranking: Ranking, place: number): number {
  let first = place;
  while (first > 0 && logits[ranking.idAt(first - 1)] === logits[ranking.idAt(place)]) {
    first--;
  }
  return first;
}
