import type { HeadOverview, HeadStatistics } from '../../src/protocol/trace';

/** What a head mostly does on the passage. */
export type HeadTag = 'ind' | 'prev' | 'dup' | 'sink';

/**
 * From which mean weight a head is tagged. The first that applies is taken: induction and previous-token heads often
 * park the rest of their weight on the first token, so `sink` comes last.
 */
const THRESHOLDS: readonly { tag: HeadTag; statistic: keyof HeadStatistics; from: number }[] = [
  { tag: 'ind', statistic: 'induction', from: 0.3 },
  { tag: 'prev', statistic: 'previous', from: 0.5 },
  { tag: 'dup', statistic: 'duplicate', from: 0.4 },
  { tag: 'sink', statistic: 'first', from: 0.7 },
];

const NAMES: Readonly<Record<HeadTag, string>> = {
  ind: 'induction',
  prev: 'previous token',
  dup: 'duplicate token',
  sink: 'first-token sink',
};

/** Below so many tokens the statistics are means over next to nothing: no head is tagged. */
const FEWEST_TOKENS = 8;

/** The tag of a head on a passage of so many tokens; null for a head that does nothing of the kind. */
export function headTag(statistics: HeadStatistics, tokens: number): HeadTag | null {
  if (tokens < FEWEST_TOKENS) {
    return null;
  }
  // A NaN statistic is not defined on this passage and fails every comparison.
  return THRESHOLDS.find(({ statistic, from }) => statistics[statistic] >= from)?.tag ?? null;
}

/** The tag in words; heads without one are `mixed`. */
export function headTagName(tag: HeadTag | null): string {
  return tag === null ? 'mixed' : NAMES[tag];
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
