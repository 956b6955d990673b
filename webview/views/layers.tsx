import { useRef, useState } from 'preact/hooks';
import type { LensCell, LogitLens } from '../../src/protocol/stages';
import type { TokenRange, Trace } from '../../src/protocol/trace';
import { gridPicture } from '../export/pictures';
import type { Picture } from '../export/surface';
import { lensTable } from '../export/tables';
import { type LensColumns, useLens, wholeLens } from '../lens';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { cssColour, stopsOf } from '../render/colour-map';
import { formatCount, formatPercent } from '../render/number-format';
import type { Palette } from '../render/theme';
import { shortLabel, tokenLabel } from '../render/visible-text';
import { pinnedToken } from '../state';
import { IconButton } from '../ui/button';
import { Failure } from './notices';
import { Section } from './section';
import { TokenTag, TokenText } from './visible';

const POSITIONS = 12;
const POSITIONS_NARROW = 6;
const NARROW = 520;

interface Place {
  readonly depth: number;
  readonly position: number;
}

/** The logit lens: what the stream at each depth would say next. */
export function Layers({ trace, panelWidth }: { trace: Trace; panelWidth: number }) {
  const palette = usePalette();
  const open = !useSelected((state) => state.view.collapsed.includes('layers'));
  const pinned = useSelected(pinnedToken) ?? 0;
  const length = trace.tokens.length;
  const count = Math.min(length, panelWidth <= NARROW ? POSITIONS_NARROW : POSITIONS);
  // The window moves as little as it takes to show the pinned token, and stays where it was paged to until another is pinned.
  const place = `${trace.id} ${pinned} ${count}`;
  const [paged, setPaged] = useState<{ readonly place: string; readonly end: number } | null>(null);
  const shownLast = useRef(length);
  const end =
    paged?.place === place
      ? paged.end
      : clamp(shownLast.current, Math.max(count, pinned + 1), Math.min(length, pinned + count));
  shownLast.current = end;
  const positions = { from: end - count, to: end };
  const { columns, failure } = useLens(trace, positions, pinned, open);
  const whole = wholeLens(positions, columns);
  const move = (by: number) => setPaged({ place, end: clamp(end + by, count, length) });
  return (
    <Section
      name="layers"
      title="Layers"
      files={
        whole === null
          ? null
          : {
              settings: { from: positions.from, to: positions.to - 1 },
              tables: { lens: () => lensTable(whole) },
              pictures: { lens: () => lensPicture(trace, whole, palette) },
            }
      }
      subtitle={`logit lens, ${windowName(positions, length)}`}
      tools={
        <>
          <span class="legend">
            0 %
            <span class="swatches">
              {stopsOf('probability', palette.kind).map((colour) => (
                <i key={colour} style={{ backgroundColor: colour }} />
              ))}
            </span>
            100 %
            <span class="legend-key lens-key">
              <i /> matches the text
            </span>
          </span>
          {length > count && (
            <span class="paging">
              <IconButton
                icon="back"
                label="Earlier tokens"
                disabled={positions.from === 0}
                onPress={() => move(-count)}
              />
              <IconButton
                icon="forward"
                label="Later tokens"
                disabled={positions.to === length}
                onPress={() => move(count)}
              />
            </span>
          )}
        </>
      }
    >
      {failure !== null && <Failure error={failure} />}
      {(failure === null || columns.size > 0) && (
        <LensGrid trace={trace} positions={positions} columns={columns} onLeave={(by) => move(by)} />
      )}
    </Section>
  );
}

function lensPicture({ tokens }: Trace, { positions, rows }: LogitLens, palette: Palette): Picture {
  const best = (row: number, column: number) => rows[row][column].tokens[0];
  return gridPicture(
    {
      title: 'Logit lens: the most probable next token by layer and position',
      ...{ cellWidth: 84, cellHeight: 19, uprightColumns: false },
      rowLabels: rows.map((_, depth) => (depth === 0 ? 'in' : `L${depth - 1}`)),
      columnLabels: tokens.slice(positions.from, positions.to).map((token) => shortLabel(tokenLabel(token), 14)),
      fill: (row, column) => cssColour('probability', palette.kind, best(row, column).probability),
      text: (row, column) => shortLabel(tokenLabel(best(row, column)), 12),
    },
    palette,
  );
}

interface LensGridProps {
  readonly trace: Trace;
  readonly positions: TokenRange;
  /** A position that is missing is still being read. */
  readonly columns: LensColumns;
  /** The cursor wants to go so many positions beyond the edge. */
  readonly onLeave: (by: number) => void;
}

function LensGrid({ trace, positions, columns, onLeave }: LensGridProps) {
  const { store } = usePanel();
  const palette = usePalette();
  const pinned = useSelected(pinnedToken) ?? 0;
  const hovered = useSelected((state) => state.hovered);
  const [pointed, setPointed] = useState<Place | null>(null);
  const [cursor, setCursor] = useState<Place | null>(null);
  const last = trace.model.layers;
  const within = (place: Place | null) =>
    place !== null && place.position >= positions.from && place.position < positions.to && place.depth <= last
      ? place
      : null;
  const tokens = trace.tokens.slice(positions.from, positions.to);
  const standing = within(cursor) ?? { depth: last, position: clamp(pinned, positions.from, positions.to - 1) };
  const shown = within(pointed) ?? standing;
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === 'Enter') {
      event.preventDefault();
      store.pin(standing.position);
      store.announce(`Pinned token ${standing.position}.`);
    }
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    event.preventDefault();
    const position = clamp(standing.position + step[1], 0, trace.tokens.length - 1);
    if (position < positions.from || position >= positions.to) {
      onLeave(step[1]);
    }
    const place = { depth: clamp(standing.depth + step[0], 0, last), position };
    setPointed(null);
    setCursor(place);
    const cell = columns.get(position)?.[place.depth];
    if (cell !== undefined) {
      const [best] = cell.tokens;
      store.announce(
        `${depthName(place.depth)}, #${position}: ${tokenLabel(best)} ${formatPercent(best.probability)}${
          matches(trace, cell, position) ? ', matches the text' : ''
        }`,
      );
    }
  };
  const shownCell = columns.get(shown.position)?.[shown.depth] ?? null;
  return (
    <>
      <div
        class="lens"
        style={{ gridTemplateColumns: `28px repeat(${tokens.length}, minmax(0, 1fr))` }}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the keys itself
        tabIndex={0}
        role="application"
        aria-roledescription="logit lens"
        aria-label="The most probable next token by layer and position"
        aria-busy={tokens.some(({ index }) => !columns.has(index))}
        title="Arrows move, Enter pins the token"
        onKeyDown={onKeyDown}
        onPointerLeave={() => setPointed(null)}
      >
        <span class="lens-layer" />
        {tokens.map((token) => (
          <span
            key={token.index}
            class={`lens-head${token.index === (hovered ?? shown.position) ? ' is-on' : ''}`}
            title={`#${token.index}`}
          >
            <TokenText token={token} />
          </span>
        ))}
        {Array.from({ length: last + 1 }, (_, depth) => (
          <>
            <span class={`lens-layer${depth === shown.depth ? ' is-on' : ''}`} title={depthName(depth)}>
              {depth === 0 ? 'in' : `L${depth - 1}`}
            </span>
            {tokens.map(({ index: position }) => {
              const cell = columns.get(position)?.[depth];
              if (cell === undefined) {
                return <span key={position} class="lens-pending" />;
              }
              const [best] = cell.tokens;
              const isCursor = standing.depth === depth && standing.position === position;
              return (
                <button
                  key={position}
                  type="button"
                  tabIndex={-1}
                  class={`lens-cell${matches(trace, cell, position) ? ' is-match' : ''}${isCursor ? ' is-cursor' : ''}`}
                  style={{ backgroundColor: cssColour('probability', palette.kind, best.probability) }}
                  data-depth={depth}
                  data-position={position}
                  data-top={best.id}
                  data-probability={best.probability}
                  onPointerEnter={() => setPointed({ depth, position })}
                  onClick={() => {
                    setCursor({ depth, position });
                    store.pin(position);
                  }}
                >
                  <TokenText token={best} />
                </button>
              );
            })}
          </>
        ))}
      </div>
      <LensReadout trace={trace} cell={shownCell} place={shown} />
      <p class="explanation stage-note">
        At each depth the model’s own final norm and head are put on the stream, as if the layers above were not there:{' '}
        <span class="formula">logits = W_U · norm(h)</span>. The last row is the model’s prediction.
      </p>
    </>
  );
}

/** The most probable tokens of a cell; only its room while the cell is still being read. */
function LensReadout({ trace, cell, place }: { trace: Trace; cell: LensCell | null; place: Place }) {
  const next = trace.tokens[place.position + 1];
  if (cell === null) {
    return <div class="lens-readout" />;
  }
  return (
    <div class="lens-readout" data-lens-readout={`${place.depth},${place.position}`}>
      <span>
        <b>{depthName(place.depth)}</b>, after #{place.position} <TokenText token={trace.tokens[place.position]} />:
      </span>
      {cell.tokens.map((token) => (
        <span key={token.id} class="lens-candidate">
          <TokenTag token={token} /> {formatPercent(token.probability)}
        </span>
      ))}
      {cell.actual !== null && next !== undefined && (
        <span>
          the text goes on with <TokenText token={next} />, {formatPercent(cell.actual.probability)}, rank{' '}
          {formatCount(cell.actual.rank)}
        </span>
      )}
    </div>
  );
}

function matches(trace: Trace, cell: LensCell, position: number): boolean {
  const next = trace.tokens[position + 1];
  return next !== undefined && cell.tokens[0].id === next.id;
}

function depthName(depth: number): string {
  return depth === 0 ? 'before the first layer' : `after layer ${depth - 1}`;
}

function windowName({ from, to }: TokenRange, length: number): string {
  return to - from === length
    ? `all ${length} positions`
    : to === length
      ? `last ${to - from} positions`
      : `positions #${from}–${to - 1}`;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(least, most), Math.max(least, value));
}
