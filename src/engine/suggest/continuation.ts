import type { Continuation, ContinuationEnd, ContinuationParams, GeneratedToken } from '../../protocol/continuation';
import { HeadlightError } from '../../protocol/errors';
import type { LensToken } from '../../protocol/stages';
import { type Cancellation, pauseUnlessCancelled } from '../inspect/cancellation';
import type { Tokenizer } from '../model/tokenizer';
import { Generator } from '../sampling/generator';
import { SampledDistribution } from '../sampling/sampler';
import { logSumExp } from '../sampling/softmax';
import { loopStart } from './ends';
import type { RememberingModel, Turn } from './remembering-model';

/** What is given up at once where the context is full: a beginning that moved with every token would be read each time. */
const STRIDE = 0.25;

export interface ContinuationOptions {
  readonly model: RememberingModel;
  readonly tokenizer: Tokenizer;
  /** In tokens. */
  readonly contextLength: number;
  /** The token that ends a text by the model's configuration, special or not; null where it names none. */
  readonly endToken: number | null;
}

/**
 * Writes on behind some tokens, one after the other, each from the cache of those before it.
 *
 * @param kept ids of the tokens that stay, at least one
 * @param turn lets each step wait for other work with the model
 * @throws HeadlightError `cancelled`, `argument-invalid`
 */
export async function continueFrom(
  kept: readonly number[],
  params: Omit<ContinuationParams, 'traceId' | 'keep'>,
  { model, tokenizer, contextLength, endToken }: ContinuationOptions,
  turn: Turn,
  cancellation?: Cancellation,
): Promise<Continuation> {
  const { behind, count, untilLineEnd, sampler, seed, limit, withinMs } = params;
  checkParams(kept, params, tokenizer);
  const started = performance.now();
  const ids = [...kept, ...behind];
  const tokens: GeneratedToken[] = [];
  const finish = (ended: ContinuationEnd): Continuation => ({
    tokens,
    ended,
    cacheBytesPerToken: model.bytesPerToken,
  });
  for (;;) {
    await pauseUnlessCancelled(cancellation);
    const asked = performance.now();
    const { window, leftOut } = lastTokens(ids, contextLength, tokenizer.startToken);
    const { predictions, read } = await model.predict(window, window.length - 1, turn, cancellation);
    const u = new Generator(seed, ids.length - kept.length).next();
    const token = choose(predictions[0], new SampledDistribution(predictions[0], sampler), u, limit, tokenizer);
    if (untilLineEnd && /^[ \t]*[\r\n]/.test(token.text)) {
      return finish('line');
    }
    tokens.push({ ...token, reused: window.length - read, read, leftOut, milliseconds: performance.now() - asked });
    ids.push(token.id);
    if (token.id === endToken || tokenizer.specialTokenOf(token.id) !== null) {
      return finish('end-token');
    }
    if (untilLineEnd && /[\r\n]/.test(token.text)) {
      return finish('line');
    }
    const round = untilLineEnd ? loopStart(ids.slice(kept.length)) : null;
    if (round !== null) {
      tokens.length = Math.max(0, round - behind.length);
      return finish('loop');
    }
    if (tokens.length >= count) {
      return finish('count');
    }
    if (withinMs !== null && performance.now() - started >= withinMs) {
      return finish('time');
    }
  }
}

/** As many of the last tokens as the model reads, behind the one that stands before every text. */
function lastTokens(
  ids: readonly number[],
  contextLength: number,
  startToken: number | null,
): { readonly window: readonly number[]; readonly leftOut: number } {
  const excess = ids.length - contextLength;
  if (excess <= 0) {
    return { window: ids, leftOut: 0 };
  }
  const stride = Math.max(1, Math.floor(STRIDE * contextLength));
  const leftOut = stride * Math.ceil(excess / stride);
  const start = startToken !== null && ids[0] === startToken ? [startToken] : [];
  return { window: [...start, ...ids.slice(leftOut + start.length)], leftOut };
}

type ChosenToken = LensToken & Pick<GeneratedToken, 'samplerProbability' | 'rank' | 'candidates'>;

/**
 * @param logits [V]
 * @param u in [0, 1): the draw
 */
function choose(
  logits: Float32Array,
  distribution: SampledDistribution,
  u: number,
  limit: number,
  tokenizer: Tokenizer,
): ChosenToken {
  const { ranking } = distribution;
  const logTotal = logSumExp(logits);
  const named = (id: number): LensToken => ({
    id,
    text: tokenizer.textOf(id),
    bytes: [...tokenizer.bytesOf(id)],
    probability: Math.exp(logits[id] - logTotal),
  });
  const place = distribution.draw(u);
  const id = ranking.idAt(place);
  return {
    ...named(id),
    samplerProbability: distribution.probabilityAt(place),
    rank: 1 + logits.reduce((better, logit) => better + (logit > logits[id] ? 1 : 0), 0),
    candidates: Array.from({ length: Math.min(limit, ranking.size) }, (_, at) => named(ranking.idAt(at))),
  };
}

function checkParams(
  kept: readonly number[],
  { behind, count, seed, limit }: Omit<ContinuationParams, 'traceId' | 'keep'>,
  tokenizer: Tokenizer,
): void {
  const refuse = (sentence: string) => {
    throw new HeadlightError('argument-invalid', sentence);
  };
  if (kept.length === 0) {
    refuse('There is no token to go on from; keep at least one.');
  }
  const unknown = behind.find((id) => !Number.isInteger(id) || id < 0 || id >= tokenizer.vocabSize);
  if (unknown !== undefined) {
    refuse(`There is no token ${unknown}: the model's vocabulary ends at ${tokenizer.vocabSize - 1}.`);
  }
  if (!Number.isInteger(count) || count < 1) {
    refuse(`${count} tokens cannot be generated: ask for a whole number from 1.`);
  }
  if (!Number.isInteger(limit) || limit < 0) {
    refuse(`${limit} candidates cannot be listed: ask for a whole number from 0.`);
  }
  if (!Number.isSafeInteger(seed)) {
    refuse(`The seed ${seed} is not a whole number: give one, such as 1.`);
  }
}
