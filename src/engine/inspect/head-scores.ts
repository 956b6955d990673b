import { HeadlightError } from '../../protocol/errors';
import { HEAD_SCORES, type HeadScoreColumns, type HeadScoreName, type RandomText } from '../../protocol/heads';
import type { Tokenizer } from '../model/tokenizer';
import type { Decoder } from '../runtime/decoder';
import { Generator } from '../sampling/generator';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** Random tokens that are repeated. */
const LENGTH = 50;
/** Fewer would make means over next to nothing. */
const SHORTEST = 4;
/** Always the same tokens: a model's scores are a property of the model. */
const SEED = 20;

export interface ProbedModel {
  readonly decoder: Decoder;
  readonly tokenizer: Tokenizer;
  /** The token that begins a text; null where the model has none. */
  readonly startToken: number | null;
  readonly contextLength: number;
}

/** The scores of all heads on random tokens; see `HeadScores`. */
export interface RandomTextScores {
  readonly repeated: HeadScoreColumns;
  readonly control: HeadScoreColumns;
  readonly randomText: RandomText;
}

/** Scores the heads of a model on random tokens that repeat and on some that do not: once, and a piece at a time. */
export class HeadProbe {
  private pieces: AsyncGenerator<void, RandomTextScores> | null = null;
  private scores: RandomTextScores | null = null;
  private layersDone = 0;

  constructor(private readonly model: ProbedModel) {}

  /** Layers that are scored, and all that are to be, on both texts. */
  get progress(): { readonly done: number; readonly of: number } {
    return { done: this.layersDone, of: 2 * this.model.decoder.anatomy.config.layers };
  }

  /**
   * Goes on with the work.
   *
   * @param withinMs for about so long; null works until all is done
   * @returns null where there is more to do
   * @throws HeadlightError `graph-unsupported` where the attention was not found, `argument-invalid` for a context or a
   * vocabulary that is too small; `cancelled`, which keeps what was done
   */
  async goOn(withinMs: number | null, cancellation?: Cancellation): Promise<RandomTextScores | null> {
    const started = performance.now();
    while (this.scores === null) {
      await pauseUnlessCancelled(cancellation);
      this.pieces ??= scoreOnRandomText(this.model);
      const piece = await this.pieces.next().catch((error) => {
        this.pieces = null;
        this.layersDone = 0;
        throw error;
      });
      if (piece.done) {
        this.scores = piece.value;
        this.pieces = null;
      } else {
        this.layersDone++;
      }
      if (withinMs !== null && performance.now() - started >= withinMs) {
        break;
      }
    }
    return this.scores;
  }
}

/** Stops after each layer. */
async function* scoreOnRandomText({
  decoder,
  tokenizer,
  startToken,
  contextLength,
}: ProbedModel): AsyncGenerator<void, RandomTextScores> {
  const most = Math.min(LENGTH, Math.floor((contextLength - 1) / 2));
  const drawn = drawTokens(tokenizer, startToken, 2 * most + 1);
  const length = Math.min(most, Math.floor((drawn.length - 1) / 2));
  if (length < SHORTEST) {
    throw new HeadlightError(
      'argument-invalid',
      `Heads are scored on at least ${SHORTEST} random tokens and their repetition; this model's context (${contextLength}) ` +
        `or its vocabulary (${tokenizer.vocabSize}) has no room for them.`,
    );
  }
  const first = startToken ?? drawn[2 * length];
  const copy = drawn.slice(0, length);
  const others = drawn.slice(length, 2 * length);
  const repeatedIds = Uint32Array.from([first, ...copy, ...copy]);
  const controlIds = Uint32Array.from([first, ...copy, ...others]);
  return {
    repeated: yield* scoreText(decoder, repeatedIds, length),
    control: yield* scoreText(decoder, controlIds, length),
    randomText: {
      length,
      repeatedIds,
      controlIds,
      first: { id: first, text: tokenizer.textOf(first), bytes: [...tokenizer.bytesOf(first)] },
      beginsText: startToken !== null,
    },
  };
}

/** As many different tokens that stand for text as were asked for, or fewer where the vocabulary has no more. */
function drawTokens(tokenizer: Tokenizer, startToken: number | null, count: number): number[] {
  const generator = new Generator(SEED);
  const drawn = new Set<number>();
  const { vocabSize } = tokenizer;
  // Many times as many draws as it takes to see every token of a small vocabulary.
  for (let draws = 0; drawn.size < count && draws < 100 * count; draws++) {
    const id = Math.floor(generator.next() * vocabSize);
    if (id !== startToken && tokenizer.specialTokenOf(id) === null && tokenizer.bytesOf(id).length > 0) {
      drawn.add(id);
    }
  }
  return [...drawn];
}

async function* scoreText(decoder: Decoder, ids: Uint32Array, length: number): AsyncGenerator<void, HeadScoreColumns> {
  const { attention } = await decoder.forward(ids);
  if (attention === null) {
    throw new HeadlightError(
      'graph-unsupported',
      decoder.attentionUnavailable ?? 'This graph has no attention that could be found.',
    );
  }
  const { layers, heads } = attention;
  const column = () => new Float32Array(layers * heads);
  const columns = { previous: column(), induction: column(), duplicate: column(), first: column() };
  for (let layer = 0; layer < layers; layer++) {
    let head = layer * heads;
    for await (const weights of attention.eachHead(layer)) {
      const scores = secondCopyScores(weights, length);
      for (const name of HEAD_SCORES) {
        columns[name][head] = scores[name];
      }
      head++;
    }
    yield;
  }
  return columns;
}

/**
 * One head on [s, r, r′], averaged over the queries of r′. The induction score on repeated random tokens is that of Olsson
 * et al., "In-context Learning and Induction Heads" (2022); the others are made in its likeness.
 *
 * @param weights [T, T] after the softmax, T = 2 × length + 1
 * @param length tokens of r, and of r′
 */
export function secondCopyScores(weights: Float32Array, length: number): Readonly<Record<HeadScoreName, number>> {
  const tokens = 2 * length + 1;
  const sums = { previous: 0, induction: 0, duplicate: 0, first: 0 };
  for (let query = length + 1; query < tokens; query++) {
    const row = query * tokens;
    sums.previous += weights[row + query - 1];
    sums.induction += weights[row + query - length + 1];
    sums.duplicate += weights[row + query - length];
    sums.first += weights[row];
  }
  return {
    previous: sums.previous / length,
    induction: sums.induction / length,
    duplicate: sums.duplicate / length,
    first: sums.first / length,
  };
}
