import { HEAD_SCORES, type HeadScoreName, type HeadScores } from '../../src/protocol/heads';
import type { HeadOverview, HeadStatistics } from '../../src/protocol/trace';

/** What a head mostly does. */
export type HeadKind = 'ind' | 'prev' | 'dup' | 'sink';

/** What a head mostly does, and on which text it was seen to. */
export interface HeadTag {
  readonly kind: HeadKind;
  /** On random tokens, that is on any text; or on this passage only. */
  readonly seenOn: 'random tokens' | 'this passage';
}

/** One number for each thing that heads are scored for, 0–1 or NaN where it is not defined. */
export type ScoresOfHead = Readonly<Record<HeadScoreName, number>>;

/** A head's scores on random tokens that repeat, and at the same places where they do not. */
export interface RandomScoresOfHead {
  readonly repeated: ScoresOfHead;
  readonly control: ScoresOfHead;
}

/**
 * From which mean weight a head is tagged. The first that applies is taken: induction and previous-token heads often
 * park the rest of their weight on the first token, so `sink` comes last.
 */
const THRESHOLDS: readonly { kind: HeadKind; score: HeadScoreName; from: number }[] = [
  { kind: 'ind', score: 'induction', from: 0.3 },
  { kind: 'prev', score: 'previous', from: 0.5 },
  { kind: 'dup', score: 'duplicate', from: 0.4 },
  { kind: 'sink', score: 'first', from: 0.7 },
];

/** What needs a repetition counts by how far it is above the control. */
const NEEDS_REPETITION: readonly HeadScoreName[] = ['induction', 'duplicate'];

const NAMES: Readonly<Record<HeadKind, string>> = {
  ind: 'induction',
  prev: 'previous token',
  dup: 'duplicate token',
  sink: 'first-token sink',
};

/** Below so many tokens the statistics are means over next to nothing: the passage tags no head. */
const FEWEST_TOKENS = 8;

/**
 * The tag of a head; null for one that does nothing of the kind.
 *
 * @param statistics of a passage of so many tokens
 * @param random null as long as the head was not scored on random tokens
 */
export function headTag(statistics: ScoresOfHead, tokens: number, random: RandomScoresOfHead | null): HeadTag | null {
  const lasting = random === null ? null : kindOf(aboveControl(random));
  if (lasting !== null) {
    return { kind: lasting, seenOn: 'random tokens' };
  }
  const here = tokens < FEWEST_TOKENS ? null : kindOf(statistics);
  return here === null ? null : { kind: here, seenOn: 'this passage' };
}

function kindOf(scores: ScoresOfHead): HeadKind | null {
  // A NaN statistic is not defined on this passage and fails every comparison.
  return THRESHOLDS.find(({ score, from }) => scores[score] >= from)?.kind ?? null;
}

function aboveControl({ repeated, control }: RandomScoresOfHead): ScoresOfHead {
  const scores = { ...repeated };
  for (const name of NEEDS_REPETITION) {
    scores[name] -= control[name];
  }
  return scores;
}

/** The tag in words, without the text that it rests on; heads without one are `mixed`. */
export function headTagName(tag: HeadTag | null): string {
  return tag === null ? 'mixed' : NAMES[tag.kind];
}

/** One head's part of the columns. */
export function statisticsOf(overview: HeadOverview, layer: number, head: number): HeadStatistics {
  const at = layer * overview.heads + head;
  const { previous, first, induction, duplicate, entropy } = overview.statistics;
  return {
    previous: previous[at],
    first: first[at],
    induction: induction[at],
    duplicate: duplicate[at],
    entropy: entropy[at],
  };
}

/** One head's scores on random tokens; null where the model has no such head, or was not scored yet. */
export function randomScoresOf(scores: HeadScores | null, layer: number, head: number): RandomScoresOfHead | null {
  if (scores === null || layer >= scores.layers || head >= scores.heads) {
    return null;
  }
  const at = layer * scores.heads + head;
  const of = (columns: HeadScores['repeated']): ScoresOfHead => {
    const [previous, induction, duplicate, first] = HEAD_SCORES.map((name) => columns[name][at]);
    return { previous, induction, duplicate, first };
  };
  return { repeated: of(scores.repeated), control: of(scores.control) };
}

/** The head that is shown before one was chosen: where the most is to be seen. */
export function mostTellingHead(overview: HeadOverview): { layer: number; head: number } {
  let best = 0;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < overview.layers * overview.heads; at++) {
    const { induction, previous } = overview.statistics;
    const score = Math.max(Number.isNaN(induction[at]) ? 0 : 2 * induction[at], previous[at] || 0);
    if (score > bestScore) {
      best = at;
      bestScore = score;
    }
  }
  return { layer: Math.floor(best / overview.heads), head: best % overview.heads };
}
