import type { HeadScoreName, HeadScores } from '../../src/protocol/heads';
import type { HeadOverview } from '../../src/protocol/trace';
import {
  type HeadTag,
  headTag,
  type RandomScoresOfHead,
  randomScoresOf,
  type ScoresOfHead,
  statisticsOf,
} from './head-tag';

/** The texts that heads are scored on. */
export type ScoredText = 'repeated' | 'control' | 'passage';

export const SCORED_TEXTS: readonly ScoredText[] = ['repeated', 'control', 'passage'];

/** One head of the table. */
export interface HeadTableRow extends RandomScoresOfHead {
  readonly layer: number;
  readonly head: number;
  readonly tag: HeadTag | null;
  readonly passage: ScoresOfHead;
}

/** What the table is sorted by: a score on a text, or the heads' own order. */
export type HeadOrder =
  | { readonly by: 'head'; readonly descending: boolean }
  | {
      readonly by: 'score';
      readonly score: HeadScoreName;
      readonly text: ScoredText;
      readonly descending: boolean;
    };

/** All heads of the model, layer by layer. */
export function headTable(scores: HeadScores, overview: HeadOverview, tokens: number): HeadTableRow[] {
  const rows: HeadTableRow[] = [];
  for (let layer = 0; layer < scores.layers; layer++) {
    for (let head = 0; head < scores.heads; head++) {
      const random = randomScoresOf(scores, layer, head)!;
      const passage = statisticsOf(overview, layer, head);
      rows.push({ layer, head, ...random, passage, tag: headTag(passage, tokens, random) });
    }
  }
  return rows;
}

/** The rows in that order; what has no number comes last either way. */
export function sortHeads(rows: readonly HeadTableRow[], order: HeadOrder): HeadTableRow[] {
  const sign = order.descending ? -1 : 1;
  const byHead = (a: HeadTableRow, b: HeadTableRow) => a.layer - b.layer || a.head - b.head;
  if (order.by === 'head') {
    return [...rows].sort((a, b) => sign * byHead(a, b));
  }
  const scoreOf = (row: HeadTableRow) => row[order.text][order.score];
  return [...rows].sort((a, b) => {
    const [one, other] = [scoreOf(a), scoreOf(b)];
    return (
      Number(Number.isNaN(one)) - Number(Number.isNaN(other)) ||
      (Number.isNaN(one) ? 0 : sign * (one - other)) ||
      byHead(a, b)
    );
  });
}

/** What a press on a column's heading makes of the order: the largest first, and the other way at the second press. */
export function pressed(order: HeadOrder, column: 'head' | { score: HeadScoreName; text: ScoredText }): HeadOrder {
  if (column === 'head') {
    return { by: 'head', descending: order.by === 'head' && !order.descending };
  }
  const same = order.by === 'score' && order.score === column.score && order.text === column.text;
  return { by: 'score', ...column, descending: !(same && order.descending) };
}
