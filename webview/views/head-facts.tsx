import type { Trace } from '../../src/protocol/trace';
import { usePanel, useSelected } from '../panel-context';
import { headTag, headTagName, randomScoresOf, statisticsOf } from '../render/head-tag';
import { formatBits, formatShare, formatWeight } from '../render/number-format';
import { strongestKeys } from '../render/strongest-keys';
import { answerFor, focusedQuery, rowOfQuery, scoresOfHeads, shownHead } from '../state';
import { HEAD_KEYS } from './head-keys';
import { useLast } from './use-last';
import { TokenText } from './visible';

/** How the shown head behaves on the passage, and what the focused token reads from in it. */
export function HeadFacts({ trace }: { trace: Trace }) {
  const head = useSelected(shownHead);
  const overview = useLast(useSelected((state) => answerFor(state.overview, trace)));
  const scores = useSelected(scoresOfHeads);
  if (head === null || overview === null || head.layer >= overview.layers || head.head >= overview.heads) {
    return <div class="head-facts" />;
  }
  const statistics = statisticsOf(overview, head.layer, head.head);
  const tokens = trace.tokens.length;
  const tag = headTag(statistics, tokens, randomScoresOf(scores, head.layer, head.head));
  const mostEntropy = Math.log2(Math.max(2, tokens));
  return (
    <div class="head-facts">
      <div class="head-statistics">
        <div class="facts-title" title={HEAD_KEYS}>
          <b data-shown-head={`${head.layer},${head.head}`}>
            L{head.layer}·H{head.head}
          </b>
          <span>{headTagName(tag)}</span>
        </div>
        {tag !== null && (
          <div class="facts-text" data-tag={tag.kind} data-seen-on={tag.seenOn}>
            seen on {tag.seenOn}
            {tag.seenOn === 'this passage' && ' only'}
          </div>
        )}
        <div class="facts-scope">on this passage</div>
        <Fact
          name="induction"
          explanation="Where a token occurred before: mean weight on what followed it there"
          share={statistics.induction}
        />
        <Fact name="previous" explanation="Mean weight on the token just before" share={statistics.previous} />
        <Fact name="first token" explanation="Mean weight on the first token" share={statistics.first} />
        <Fact
          name="entropy"
          explanation="Mean entropy of the rows; the bar is its share of the largest possible"
          share={statistics.entropy / mostEntropy}
          text={Number.isNaN(statistics.entropy) ? '–' : `${formatBits(statistics.entropy)} bits`}
        />
      </div>
      <TopKeys trace={trace} />
    </div>
  );
}

interface FactProps {
  readonly name: string;
  readonly explanation: string;
  readonly share: number;
  readonly text?: string;
}

function Fact({ name, explanation, share, text = formatShare(share) }: FactProps) {
  const width = Number.isNaN(share) ? 0 : Math.min(1, Math.max(0, share)) * 100;
  return (
    <div class="fact" title={explanation}>
      <span>{name}</span>
      <span class="fact-bar">
        <i style={{ width: `${width}%` }} />
      </span>
      <span>{text}</span>
    </div>
  );
}

function TopKeys({ trace }: { trace: Trace }) {
  const { store } = usePanel();
  const query = useSelected(focusedQuery);
  const weights = useSelected((state) => rowOfQuery(state, focusedQuery(state)));
  const key = useSelected((state) => state.cursor?.key ?? null);
  const hideSink = useSelected((state) => state.view.hideSink);
  const token = query === null ? undefined : trace.tokens[query];
  if (token === undefined) {
    return null;
  }
  const keys = weights === null ? [] : strongestKeys(weights, 8, hideSink);
  return (
    <div class="top-keys">
      <div class="facts-title" id="top-keys-title">
        from <b>#{token.index}</b> <TokenText token={token} />
      </div>
      <ol aria-labelledby="top-keys-title">
        {keys.map((entry) => (
          <li
            key={entry.key}
            class={`top-key${entry.key === key ? ' is-on' : ''}`}
            data-key={entry.key}
            data-weight={entry.weight}
            onPointerEnter={() => store.update({ cursor: { query: token.index, key: entry.key } })}
          >
            <span>{entry.key}</span>
            <span class="top-key-text">
              <TokenText token={trace.tokens[entry.key]} />
            </span>
            <span>{formatWeight(entry.weight)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
