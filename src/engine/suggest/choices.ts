import type { SamplerSettings } from '../../protocol/trace';
import type { TokenPrefixes } from '../model/token-prefixes';
import type { Tokenizer } from '../model/tokenizer';
import { SampledDistribution } from '../sampling/sampler';
import { logSumExp } from '../sampling/softmax';
import { bytesOf } from './caret';

/** A token that a suggestion may go on with. */
export interface Choice {
  /** All tokens before it, from the start of what the model read. */
  readonly before: readonly number[];
  readonly id: number;
  /** How many of its bytes stand before the caret. */
  readonly typedBytes: number;
  /** The model's own probability given `before`, 0–1. */
  readonly probability: number;
  /** The same among all that begins with what is typed. */
  readonly confidence: number;
}

/** How choices are made: by a sampler, with a number in [0, 1) for each draw. */
export interface Chooser {
  readonly sampler: SamplerSettings;
  readonly draw: () => number;
}

/**
 * The choices for a token behind which nothing is typed: the one that is taken, then the others, most probable first.
 *
 * @param logits [V]
 * @param count how many there are, all in all
 * @param logTotal log of the normaliser, where it is known
 */
export function chooseNext(
  before: readonly number[],
  logits: Float32Array,
  count: number,
  { sampler, draw }: Chooser,
  logTotal = logSumExp(logits),
): readonly Choice[] {
  const distribution = new SampledDistribution(logits, sampler);
  const taken = distribution.draw(draw());
  const places = [taken, ...Array.from({ length: count }, (_, place) => place).filter((place) => place !== taken)];
  return places.slice(0, Math.min(count, logits.length)).map((place) => {
    const id = distribution.ranking.idAt(place);
    const probability = Math.exp(logits[id] - logTotal);
    return { before, id, typedBytes: 0, probability, confidence: probability };
  });
}

/** A place before the caret where a token may begin that reaches across it. */
export interface Opening {
  /** The tokens before that place. */
  readonly before: readonly number[];
  /** What stands between it and the caret. */
  readonly typed: Uint8Array;
  /** Log probability of the tokens from where the openings part up to this place. */
  readonly logWeight: number;
  /** [V]: what the model predicts at this place, and the log of its normaliser. */
  readonly logits: Float32Array;
  readonly logTotal: number;
}

/**
 * The openings of a text whose last tokens may not be written to their end yet, the caret itself last.
 *
 * @param ids of the text
 * @param open how many of the last ones may go on
 * @param predictions [V] each: behind the tokens before those, and behind each of them
 */
export function openingsOf(
  ids: readonly number[],
  open: number,
  predictions: readonly Float32Array[],
  tokenizer: Tokenizer,
): readonly Opening[] {
  let logWeight = 0;
  return predictions.map((logits, index) => {
    const at = ids.length - open + index;
    const logTotal = logSumExp(logits);
    const opening = { before: ids.slice(0, at), typed: bytesOf(ids.slice(at), tokenizer), logWeight, logits, logTotal };
    logWeight += at < ids.length ? logits[ids[at]] - logTotal : 0;
    return opening;
  });
}

/**
 * The choices for the first token: those that reach across the caret from an opening before it, and those that begin at
 * it. What is typed has happened, so each counts for what it has of the probability of all that begins so. Whether a token
 * reaches across is settled before which one follows the caret: each of those has only a part of what is left for it.
 */
export function chooseFirst(
  openings: readonly Opening[],
  prefixes: TokenPrefixes,
  count: number,
  { sampler, draw }: Chooser,
): readonly Choice[] {
  const caret = openings.find(({ typed }) => typed.length === 0)!;
  let end = 1;
  const across = openings.flatMap((opening) => {
    const ids = opening === caret ? new Uint32Array() : prefixes.longerThan(opening.typed);
    const from = end;
    end += ids.length;
    return ids.length === 0 ? [] : [{ opening, ids, from }];
  });
  // The caret's own, then those of one opening after the other. Behind white space they are half of the vocabulary.
  const logWeights = new Float32Array(end);
  logWeights[0] = caret.logWeight;
  for (const { opening, ids, from } of across) {
    for (let at = 0; at < ids.length; at++) {
      logWeights[from + at] = opening.logWeight + opening.logits[ids[at]] - opening.logTotal;
    }
  }
  const logTyped = logSumExp(logWeights);
  const reaching = (index: number): Choice => {
    const { opening, ids, from } = across.findLast((each) => each.from <= index)!;
    const id = ids[index - from];
    const logProbability = opening.logits[id] - opening.logTotal;
    return {
      before: opening.before,
      id,
      typedBytes: opening.typed.length,
      probability: Math.exp(logProbability),
      confidence: Math.exp(opening.logWeight + logProbability - logTyped),
    };
  };
  const distribution = new SampledDistribution(logWeights, sampler);
  const { ranking } = distribution;
  const taken = ranking.idAt(distribution.draw(draw()));
  const share = Math.exp(caret.logWeight - logTyped);
  const next = chooseNext(caret.before, caret.logits, count, { sampler, draw }, caret.logTotal).map((choice) => ({
    ...choice,
    confidence: share * choice.confidence,
  }));
  const first = taken === 0 ? next[0] : reaching(taken);
  // One more of them, since the one that is taken, or the caret's own, may be among them.
  const best = Array.from({ length: Math.min(count + 1, ranking.size) }, (_, place) => ranking.idAt(place));
  const others = [...next, ...best.filter((index) => index !== 0 && index !== taken).map(reaching)]
    .filter((choice) => choice !== first)
    .sort((a, b) => b.confidence - a.confidence);
  return [first, ...others].slice(0, count);
}
