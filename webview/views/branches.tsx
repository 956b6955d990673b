import { useMemo, useRef, useState } from 'preact/hooks';
import { ContinuationRequest } from '../../src/protocol/continuation';
import type { NamedToken } from '../../src/protocol/stages';
import type { Trace } from '../../src/protocol/trace';
import { useAnswer } from '../answers';
import {
  branchOf,
  emptyTree,
  firstOf,
  type Place,
  type pathOf,
  positionOf,
  probabilityOf,
  restOf,
  rowsOf,
  samePlace,
  standingAt,
  type TreeRow,
  type Way,
} from '../branch-tree';
import { pinnedPlace, shownBranch } from '../branches';
import { branchesTable } from '../export/tables';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { barScale } from '../render/bar-scale';
import { cssColour, SURPRISAL_TOP } from '../render/colour-map';
import { formatBits, formatPercent, formatQuantity } from '../render/number-format';
import { tokenLabel } from '../render/visible-text';
import { rootOf } from '../state';
import { IconButton } from '../ui/button';
import { Failure } from './notices';
import { Section } from './section';
import { TokenTag, TokenText } from './visible';

/** Candidates that are listed at the pinned token. */
const LISTED = 8;
const QUESTION = {
  ...{ count: 1, untilLineEnd: false, seed: 0, limit: LISTED, withinMs: null },
  sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 },
};

type WayRow = Extract<TreeRow, { kind: 'way' }>;

/** What else could have stood in a token's place, and how it would have gone on: a small tree. */
export function Branches({ trace }: { trace: Trace }) {
  const { branches, store } = usePanel();
  const open = !useSelected((state) => state.view.collapsed.includes('branches'));
  const root = useSelected(rootOf) ?? trace;
  const tree = useSelected((state) => state.view.branches) ?? emptyTree(root);
  const failure = useSelected((state) => state.failures.branch);
  const place = useStable(useSelected(useKept(pinnedPlace, sameOrNone)));
  const shown = useSelected(useKept(shownBranch, Object.is));
  const params =
    open && place !== null
      ? { traceId: root.id, keep: place.keep, behind: place.before.map(({ id }) => id), ...QUESTION }
      : null;
  const answer = useAnswer(ContinuationRequest, params);
  // A list belongs to the place that was asked about: until the next one comes, the last stays with its own.
  const listed = useRef<{ root: number; place: Place; candidates: readonly ListedToken[]; leftOut: number } | null>(
    null,
  );
  const [token] = answer.value?.tokens ?? [];
  if (token !== undefined && !answer.stale && place !== null) {
    listed.current = { root: root.id, place, candidates: token.candidates, leftOut: token.leftOut };
  }
  const current = listed.current?.root === root.id && place !== null ? listed.current : null;
  const rows = useMemo(() => rowsOf(tree, root, current), [tree, root, current]);
  return (
    <Section
      name="branches"
      title="Branches"
      files={rows.length === 0 ? null : { settings: {}, tables: { tree: () => branchesTable(rows) } }}
      subtitle={place !== null && <PlaceName place={place} instead={standingAt(tree, root, place)?.token ?? null} />}
      tools={
        tree.branches.length > 0 && (
          <>
            <IconButton
              icon="back"
              label="Show the passage itself"
              disabled={shown === null}
              onPress={() => branches.show(null)}
            />
            <IconButton icon="close" label="Forget all branches" onPress={() => branches.clear()} />
          </>
        )
      }
    >
      {(failure ?? answer.failure) && <Failure error={(failure ?? answer.failure)!} />}
      <p class="explanation">
        {place === null && tree.branches.length === 0
          ? 'Nothing stands before the first token, so that nothing predicts it: pin a later one to see what else could stand there.'
          : 'What else could stand in the place of the pinned token. Choose one: the model writes on from it, its most probable token each time, to the end of the line, and the whole panel shows what came of it.'}
      </p>
      {rows.length > 0 && (
        <Tree
          rows={rows}
          shown={shown?.id ?? null}
          onChoose={(row) => {
            if (row.way.kind === 'candidate') {
              void branches.explore(row.place, row.way.token);
            } else {
              const owner = row.way.kind === 'branch' ? row.way.branch.id : row.place.owner;
              branches.show(owner === null ? null : branchOf(tree, owner));
            }
          }}
          onInsert={(row) => {
            const path = insertable(row, tree.branches.find(({ id }) => id === row.place.owner) ?? null);
            if (path === null) {
              store.announce('That stands in the document already.');
            } else {
              branches.insert(path);
            }
          }}
        />
      )}
      {current !== null && current.leftOut > 0 && (
        <p class="explanation stage-note">
          The context is full: read without the first {formatQuantity(current.leftOut, 'token')}.
        </p>
      )}
    </Section>
  );
}

type ListedToken = Extract<Way, { kind: 'candidate' }>['token'];

/** What is written into the document for a row; null where it is what the document has. */
function insertable(
  { place, way }: WayRow,
  owner: Parameters<typeof pathOf>[0] | null,
): Parameters<typeof pathOf>[0] | null {
  switch (way.kind) {
    case 'branch':
      return way.branch;
    case 'candidate':
      return { keep: place.keep, tokens: [...place.before, way.token] };
    case 'standing':
      return owner;
  }
}

/** The same object as long as it names the same place, so that nothing is asked or drawn twice. */
function useStable(place: Place | null): Place | null {
  const kept = useRef(place);
  if (!sameOrNone(kept.current, place)) {
    kept.current = place;
  }
  return kept.current;
}

/** A selector that gives its last value again where the next one is the same. */
function useKept<S, T>(select: (state: S) => T, isSame: (one: T, other: T) => boolean): (state: S) => T {
  const kept = useRef<{ value: T } | null>(null);
  return (state) => {
    const value = select(state);
    if (kept.current === null || !isSame(kept.current.value, value)) {
      kept.current = { value };
    }
    return kept.current.value;
  };
}

function sameOrNone(one: Place | null, other: Place | null): boolean {
  return one === null || other === null ? one === other : samePlace(one, other);
}

function PlaceName({ place, instead }: { place: Place; instead: NamedToken | null }) {
  return (
    <>
      <span class="mono">#{positionOf(place)}</span>
      {instead === null ? (
        ' behind the end'
      ) : (
        <>
          {' in the place of '}
          <TokenText token={instead} />
        </>
      )}
    </>
  );
}

interface TreeProps {
  readonly rows: readonly TreeRow[];
  /** The branch on the screen. */
  readonly shown: number | null;
  readonly onChoose: (row: WayRow) => void;
  readonly onInsert: (row: WayRow) => void;
}

function Tree({ rows, shown, onChoose, onInsert }: TreeProps) {
  const writing = useSelected((state) => state.writing);
  const [cursor, setCursor] = useState<string | null>(null);
  const ways = rows.filter((row): row is WayRow => row.kind === 'way');
  const scale = barScale(Math.max(...ways.map(({ way }) => firstOf(way).probability ?? 0)));
  const keys = ways.map(keyOf);
  const at = Math.max(0, cursor === null ? ways.findIndex((row) => isShown(row, shown)) : keys.indexOf(cursor));
  const go = (to: number) => {
    const key = keys[Math.min(keys.length - 1, Math.max(0, to))];
    setCursor(key);
    document.getElementById(`way-${key}`)?.focus();
  };
  const onKeyDown = (row: WayRow, event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    const actions: Record<string, () => void> = {
      ArrowUp: () => go(at - 1),
      ArrowDown: () => go(at + 1),
      ArrowLeft: () => go(ways.findLastIndex((other, index) => index < at && other.depth < row.depth)),
      ArrowRight: () => go(ways[at + 1]?.depth > row.depth ? at + 1 : at),
      Home: () => go(0),
      End: () => go(ways.length - 1),
      Enter: () => (event.shiftKey ? onChoose(row) : onInsert(row)),
      ' ': () => onChoose(row),
    };
    const action = actions[event.key];
    if (action !== undefined) {
      event.preventDefault();
      action();
    }
  };
  return (
    <div class="branch-tree" role="tree" aria-label="Branches" aria-describedby="branch-keys">
      <span id="branch-keys" class="for-screen-readers">
        Arrow keys walk the tree. Shift and Enter go on from a token, or show a branch. Enter writes it into the
        document.
      </span>
      {rows.map((row) =>
        row.kind === 'place' ? (
          <PlaceRow key={`place-${placeKey(row.place)}`} {...row} />
        ) : (
          <WayLine
            key={keyOf(row)}
            row={row}
            id={`way-${keyOf(row)}`}
            top={scale.top}
            shown={isShown(row, shown)}
            current={keyOf(row) === keys[at]}
            writing={row.way.kind === 'branch' && row.way.branch.id === writing}
            onKeyDown={(event) => onKeyDown(row, event)}
            onChoose={() => {
              setCursor(keyOf(row));
              onChoose(row);
            }}
            onInsert={() => onInsert(row)}
          />
        ),
      )}
    </div>
  );
}

function placeKey(place: Place): string {
  return `${place.owner ?? 'root'}-${positionOf(place)}`;
}

function keyOf({ place, way }: WayRow): string {
  return `${placeKey(place)}-${firstOf(way).id}`;
}

/** Whether a row is what the panel shows: that branch, or the passage itself. */
function isShown({ place, way }: WayRow, shown: number | null): boolean {
  return way.kind === 'branch'
    ? way.branch.id === shown
    : way.kind === 'standing' && place.owner === null && shown === null;
}

function PlaceRow({ depth, place, instead }: Extract<TreeRow, { kind: 'place' }>) {
  return (
    <div class="branch-place" role="presentation" style={{ '--depth': depth }} data-place={positionOf(place)}>
      <PlaceName place={place} instead={instead} />
    </div>
  );
}

interface WayLineProps {
  readonly row: WayRow;
  readonly id: string;
  /** The probability at the end of the bars. */
  readonly top: number;
  readonly shown: boolean;
  readonly current: boolean;
  readonly writing: boolean;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onChoose: () => void;
  readonly onInsert: () => void;
}

function WayLine({ row, id, top, shown, current, writing, onKeyDown, onChoose, onInsert }: WayLineProps) {
  const { way, depth, place } = row;
  const token = firstOf(way);
  const rest = restOf(way);
  const whole = way.kind === 'branch' ? probabilityOf(way) : null;
  const mean = whole === null ? null : whole ** (1 / (1 + rest.length));
  const { probability } = token;
  const percent = probability === null ? '–' : formatPercent(probability);
  const said = [
    `at ${positionOf(place)}: ${tokenLabel(token)}, ${percent}`,
    ...(rest.length > 0 ? [`then ${rest.map(tokenLabel).join('')}`] : []),
    ...(mean !== null && rest.length > 0 ? [`on average ${formatPercent(mean)}`] : []),
    ...(way.kind === 'standing' ? ['as it stands'] : []),
  ];
  const classes = ['branch-way', `is-${way.kind}`, ...(shown ? ['is-shown'] : [])];
  const choice = way.kind === 'candidate' ? 'Go on from this token' : 'Show this in the whole panel';
  return (
    <div
      id={id}
      class={classes.join(' ')}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={shown}
      aria-label={said.join('; ')}
      style={{ '--depth': depth }}
      data-way={way.kind}
      data-way-token={token.id}
      data-probability={probability ?? ''}
      data-whole={whole ?? ''}
      title={choice}
      tabIndex={current ? 0 : -1}
      onClick={onChoose}
      onKeyDown={onKeyDown}
    >
      <span class="way-first">
        <TokenTag token={token} />
      </span>
      <span class="way-bar">
        <i style={{ width: `${Math.min(1, (probability ?? 0) / top) * 100}%` }} />
      </span>
      <span class="number">{percent}</span>
      <span class="way-rest">
        {rest.map((each, index) => (
          <WayToken key={index} token={each} />
        ))}
        {writing && <span class="way-writing">…</span>}
      </span>
      {way.kind === 'standing' && <span class="number way-note">as it stands</span>}
      {mean !== null && whole !== null && (
        <span class="number way-mean" title={meanTitle(1 + rest.length, whole)}>
          ⌀ {formatPercent(mean)}
        </span>
      )}
      <span class="way-actions">
        {way.kind !== 'standing' && (
          <IconButton
            icon="insert"
            label={`Write ${JSON.stringify(token.text)} and what follows it into the document`}
            tabStop={false}
            onPress={onInsert}
          />
        )}
        {!shown && <IconButton icon="branch" label={choice} tabStop={false} onPress={onChoose} />}
      </span>
    </div>
  );
}

function meanTitle(count: number, whole: number): string {
  return `Geometric mean of the probabilities of its ${formatQuantity(count, 'token')}; that the model writes just these: ${formatPercent(whole)}, ${formatBits(-Math.log2(whole))} bits`;
}

/** A token of a continuation, tinted by its surprisal as in the passage. */
function WayToken({ token }: { token: NamedToken & { readonly probability: number | null } }) {
  const { kind } = usePalette();
  const { probability } = token;
  const tint =
    probability === null ? '' : cssColour('surprisal', kind, Math.min(1, -Math.log2(probability) / SURPRISAL_TOP));
  return (
    <span
      class="way-token"
      style={{ backgroundColor: tint }}
      title={probability === null ? tokenLabel(token) : `${tokenLabel(token)} ${formatPercent(probability)}`}
    >
      <TokenText token={token} />
    </span>
  );
}
