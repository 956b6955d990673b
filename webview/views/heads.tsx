import { useMemo, useState } from 'preact/hooks';
import { HEAD_SCORES, type HeadScoreColumns, type HeadScoreName, type HeadScores } from '../../src/protocol/heads';
import type { HeadOverview, Trace } from '../../src/protocol/trace';
import type { Tensor } from '../export/npy';
import { headsTable } from '../export/tables';
import { usePanel, useSelected } from '../panel-context';
import {
  type HeadOrder,
  type HeadTableRow,
  headTable,
  pressed,
  SCORED_TEXTS,
  type ScoredText,
  sortHeads,
} from '../render/head-table';
import { headTagName } from '../render/head-tag';
import { formatCount, formatQuantity, formatShare } from '../render/number-format';
import { answerFor, sameHead, scoresOfHeads, scoringOfHeads, selectedHead } from '../state';
import { Button } from '../ui/button';
import { Segmented } from '../ui/segmented';
import { Failure } from './notices';
import { Progress } from './progress';
import { Section } from './section';
import { useLast } from './use-last';
import { TokenTag } from './visible';

/** Rows that are drawn at first. */
const FIRST_ROWS = 24;
/** Below this width one score is shown at a time. */
const WIDE = 760;

const NAMES: Readonly<Record<HeadScoreName, string>> = {
  previous: 'previous',
  induction: 'induction',
  duplicate: 'duplicate',
  first: 'first token',
};

const MEANINGS: Readonly<Record<HeadScoreName, string>> = {
  previous: 'Weight on the token just before',
  induction: 'Weight on what followed the same token earlier',
  duplicate: 'Weight on the same token earlier',
  first: 'Weight on what stands first',
};

const TEXTS: Readonly<Record<ScoredText, { readonly label: string; readonly words: string }>> = {
  repeated: { label: 'random', words: 'on random tokens that repeat' },
  control: { label: 'control', words: 'at the same places where no token repeats' },
  passage: { label: 'passage', words: 'on this passage' },
};

/** What every head of the model is good at, as a table that sorts. */
export function Heads({ trace, panelWidth }: { trace: Trace; panelWidth: number }) {
  const open = !useSelected((state) => state.view.collapsed.includes('heads'));
  const scores = useSelected((state) => scoresOfHeads(state));
  const overview = useLast(useSelected((state) => answerFor(state.overview, trace)));
  const failure = useSelected((state) => state.failures.headScores ?? state.failures.overview);
  const [order, setOrder] = useState<HeadOrder>({
    by: 'score',
    score: 'induction',
    text: 'repeated',
    descending: true,
  });
  const wide = panelWidth >= WIDE;
  const [single, setSingle] = useState<HeadScoreName>('induction');
  return (
    <Section
      name="heads"
      title="Heads"
      files={
        scores === null || overview === null
          ? null
          : {
              settings: {
                randomTokens: scores.randomText.length,
                first: scores.randomText.beginsText ? scores.randomText.first.text : 'a random token',
              },
              tables: { table: () => headsTable(sortHeads(headTable(scores, overview, trace.tokens.length), order)) },
              tensors: {
                repeated: () => scoreTensor(scores, scores.repeated),
                control: () => scoreTensor(scores, scores.control),
                passage: () => scoreTensor(scores, overview.statistics),
              },
            }
      }
      subtitle={scores === null ? undefined : formatQuantity(scores.layers * scores.heads, 'head')}
      tools={
        !wide && (
          <Segmented
            label="Score"
            options={HEAD_SCORES.map((name) => ({ value: name, label: NAMES[name], title: MEANINGS[name] }))}
            value={single}
            onChange={(score) => {
              setSingle(score);
              setOrder({ by: 'score', score, text: 'repeated', descending: true });
            }}
          />
        )
      }
    >
      {failure !== undefined && <Failure error={failure} />}
      {open && scores === null && failure === undefined && <Scoring />}
      {scores !== null && overview !== null && (
        <>
          <Explanation scores={scores} />
          <HeadTable
            trace={trace}
            scores={scores}
            overview={overview}
            shown={wide ? HEAD_SCORES : [single]}
            order={order}
            onOrder={setOrder}
          />
        </>
      )}
    </Section>
  );
}

/** How far the model was run over the random tokens. */
function Scoring() {
  const { store } = usePanel();
  const scoring = useSelected(scoringOfHeads);
  const stopped = useSelected((state) => state.scoringStopped);
  return (
    <Progress
      label="Heads scored"
      says={
        scoring === null
          ? 'running the model over random tokens'
          : `${formatCount(scoring.done)} of ${formatQuantity(scoring.of, 'layer')} on two random texts`
      }
      done={scoring?.done ?? 0}
      of={scoring?.of ?? 1}
      isRunning={!stopped}
      goOn="Score the heads"
      onGoOn={() => store.update({ scoringStopped: false })}
      onStop={() => store.update({ scoringStopped: true })}
    />
  );
}

/** [scores, layers, heads], in the order of `HEAD_SCORES`. */
function scoreTensor({ layers, heads }: HeadScores, columns: HeadScoreColumns): Tensor {
  const values = new Float32Array(HEAD_SCORES.length * layers * heads);
  for (const [at, name] of HEAD_SCORES.entries()) {
    values.set(columns[name], at * layers * heads);
  }
  return { shape: [HEAD_SCORES.length, layers, heads], values };
}

function Explanation({ scores }: { scores: HeadScores }) {
  const { length, first, beginsText } = scores.randomText;
  return (
    <p class="explanation">
      Mean attention weights, <b>random</b>: over the queries of the second copy in {formatCount(length)} random tokens
      and the same again, behind{' '}
      {beginsText ? <TokenTag token={first} /> : 'one more random token, since this model has none that begins a text'}:{' '}
      <span class="formula">
        {'previous A[q, q−1], induction A[q, q−L+1], duplicate A[q, q−L], first token A[q, 0]'}
      </span>
      . <b>Control</b>: at the same places where no token repeats; what is left there is not due to the repetition.{' '}
      <b>Passage</b>: on the text above.
    </p>
  );
}

interface HeadTableProps {
  readonly trace: Trace;
  readonly scores: HeadScores;
  readonly overview: HeadOverview;
  readonly shown: readonly HeadScoreName[];
  readonly order: HeadOrder;
  readonly onOrder: (order: HeadOrder) => void;
}

function HeadTable({ trace, scores, overview, shown, order, onOrder }: HeadTableProps) {
  const [all, setAll] = useState(false);
  const tokens = trace.tokens.length;
  const rows = useMemo(() => headTable(scores, overview, tokens), [scores, overview, tokens]);
  const sorted = useMemo(() => sortHeads(rows, order), [rows, order]);
  const listed = all ? sorted : sorted.slice(0, FIRST_ROWS);
  const sortBy = (score: HeadScoreName, text: ScoredText) => () => onOrder(pressed(order, { score, text }));
  const directionOf = (score: HeadScoreName, text: ScoredText) =>
    order.by === 'score' && order.score === score && order.text === text ? directionName(order) : 'none';
  return (
    <>
      <table class="head-table" aria-label="Scores of all heads" data-single={shown.length === 1}>
        <colgroup>
          <col class="head-name" />
          <col class="head-kind" />
          {shown.map((score) => (
            <>
              <col key={score} />
              {SCORED_TEXTS.map((text) => (
                <col key={text} class="number" />
              ))}
            </>
          ))}
        </colgroup>
        <thead>
          <tr>
            <th class="head-name" rowSpan={2} aria-sort={order.by === 'head' ? directionName(order) : 'none'}>
              <SortButton
                label="head"
                title="Sort by layer and head"
                direction={order.by === 'head' ? directionName(order) : 'none'}
                onPress={() => onOrder(pressed(order, 'head'))}
              />
            </th>
            <th class="head-kind" rowSpan={2}>
              kind
            </th>
            {shown.map((score) => (
              <th key={score} class="head-group" colSpan={4} title={MEANINGS[score]}>
                {NAMES[score]}
              </th>
            ))}
          </tr>
          <tr>
            {shown.map((score) => (
              <>
                <td class="head-bar" aria-hidden="true" />
                {SCORED_TEXTS.map((text) => (
                  <th key={text} class="number" aria-sort={directionOf(score, text)}>
                    <SortButton
                      label={TEXTS[text].label}
                      title={`Sort by ${NAMES[score]} ${TEXTS[text].words}`}
                      direction={directionOf(score, text)}
                      onPress={sortBy(score, text)}
                    />
                  </th>
                ))}
              </>
            ))}
          </tr>
        </thead>
        <tbody>
          {listed.map((row) => (
            <HeadRow key={`${row.layer}.${row.head}`} row={row} shown={shown} order={order} />
          ))}
        </tbody>
      </table>
      {listed.length < sorted.length && (
        <Button onPress={() => setAll(true)}>Show {formatCount(sorted.length - listed.length)} more</Button>
      )}
    </>
  );
}

type Direction = 'ascending' | 'descending' | 'none';

function directionName({ descending }: HeadOrder): 'ascending' | 'descending' {
  return descending ? 'descending' : 'ascending';
}

interface SortButtonProps {
  readonly label: string;
  readonly title: string;
  readonly direction: Direction;
  readonly onPress: () => void;
}

function SortButton({ label, title, direction, onPress }: SortButtonProps) {
  return (
    <button type="button" class="sort-button" title={title} aria-label={title} onClick={onPress}>
      {label}
      <span aria-hidden="true">{{ ascending: ' ▴', descending: ' ▾', none: '' }[direction]}</span>
    </button>
  );
}

interface HeadRowProps {
  readonly row: HeadTableRow;
  readonly shown: readonly HeadScoreName[];
  readonly order: HeadOrder;
}

function HeadRow({ row, shown, order }: HeadRowProps) {
  const { store } = usePanel();
  const chosen = useSelected((state) => sameHead(selectedHead(state), row));
  const { layer, head, tag } = row;
  const choose = () => {
    store.selectHead({ layer, head });
    store.announce(`Layer ${layer}, head ${head}`);
  };
  return (
    <tr class={chosen ? 'is-chosen' : ''} data-scored-head={`${layer}.${head}`} onClick={choose}>
      <th class="head-name" scope="row">
        <button
          type="button"
          class="plain-link"
          aria-pressed={chosen}
          title="Show this head’s attention"
          onClick={(event) => {
            event.stopPropagation();
            choose();
          }}
          onKeyDown={focusNeighbour}
        >
          L{layer}·H{head}
        </button>
      </th>
      <td
        class={`head-kind${tag?.seenOn === 'this passage' ? ' is-of-passage' : ''}`}
        title={tag === null ? undefined : `${headTagName(tag)} on ${tag.seenOn}`}
      >
        {tag?.kind ?? ''}
      </td>
      {shown.map((score) => (
        <>
          <td class="head-bar" aria-hidden="true">
            <span class="norm-bar">
              <i style={{ width: share(row.repeated[score]) }} />
              <u style={{ left: share(row.control[score]) }} />
            </span>
          </td>
          {SCORED_TEXTS.map((text) => (
            <td
              key={text}
              class={`number${text === 'control' ? ' is-faint' : ''}${
                order.by === 'score' && order.score === score && order.text === text ? ' is-strong' : ''
              }`}
              data-score={`${score}.${text}`}
              data-value={row[text][score]}
            >
              {formatShare(row[text][score])}
            </td>
          ))}
        </>
      ))}
    </tr>
  );
}

/** Up and down go from head to head. */
function focusNeighbour(event: KeyboardEvent): void {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
    return;
  }
  event.preventDefault();
  const body = (event.currentTarget as Element).closest('tbody')!;
  const buttons = [...body.querySelectorAll<HTMLElement>('th button')];
  buttons[buttons.indexOf(event.currentTarget as HTMLElement) + step]?.focus();
}

function share(value: number): string {
  return `${Math.min(1, Math.max(0, Number.isNaN(value) ? 0 : value)) * 100}%`;
}
