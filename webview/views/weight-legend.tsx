import type { TokenRange } from '../../src/protocol/trace';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { linesOf, MOST_LINES, WEAKEST_LINE } from '../render/attention-lines';
import { cssColour } from '../render/colour-map';
import { formatCount } from '../render/number-format';
import type { StepScale } from '../render/step-scale';
import { isWhole, zoomWindow } from '../render/token-window';
import type { Display } from '../state';
import { IconButton } from '../ui/button';
import { cellValue, pairName } from './matrix-cursor';
import type { ShownMatrix } from './shown-matrix';

/** From so many tokens on, parts of the matrix are worth a closer look. */
const ZOOM_FROM = 40;

interface WeightLegendProps {
  readonly shown: ShownMatrix;
  readonly display: Display;
  /** Whether the value under the crosshair is written here, since the matrix has no room for it. */
  readonly spellsCell: boolean;
  /** Whether tokens were to be merged to symbols and the document has none. */
  readonly withoutSymbols: boolean;
}

/** What the colours or lines mean, which part of the matrix is shown, and what a cell is where it is not one pair. */
export function WeightLegend({ shown, display, spellsCell, withoutSymbols }: WeightLegendProps) {
  const { scale } = shown;
  return (
    <div class="weight-legend">
      <div class="legend-line">
        <span>{scale.name}</span>
        <span>{display === 'lines' ? 'line opacity' : scale.spread}</span>
      </div>
      <Ramp display={display} scale={scale} />
      {spellsCell && <CellLine shown={shown} />}
      <p class="legend-note step-sentence">{scale.sentence}</p>
      {withoutSymbols && (
        <p class="legend-note">The editor knows no symbols in this passage: its tokens are shown one by one.</p>
      )}
      <WindowLine shown={shown} display={display} />
    </div>
  );
}

const RAMP_STEPS = Array.from({ length: 48 }, (_, at) => at / 47);
const LINE_TICKS = [0, 0.25, 0.5, 0.75, 1].map((weight) => ({ place: weight, label: tick(weight) }));

function tick(weight: number): string {
  return weight === 0 || weight === 1 ? String(weight) : String(weight).slice(1);
}

function Ramp({ display, scale }: { display: Display; scale: StepScale }) {
  const palette = usePalette();
  const ticks = display === 'lines' ? LINE_TICKS : scale.ticks;
  return (
    <>
      <div class="ramp">
        {RAMP_STEPS.map((value) => (
          <i
            key={value}
            style={
              display === 'lines'
                ? { backgroundColor: palette.data, opacity: value }
                : { backgroundColor: cssColour(scale.colours, palette.kind, value) }
            }
          />
        ))}
      </div>
      <div class="ramp-ticks">
        {ticks.map(({ place, label }) => (
          <span key={label} class="ramp-tick" style={{ left: `${place * 100}%` }}>
            {label}
          </span>
        ))}
      </div>
    </>
  );
}

function CellLine({ shown }: { shown: ShownMatrix }) {
  const cursor = useSelected((state) => (state.hovered === null ? state.cursor : null));
  const value = cursor === null ? null : cellValue(shown.matrix, cursor);
  // The line keeps its place, so that nothing below jumps.
  return cursor === null || value === null ? (
    <div class="legend-line cell-line" />
  ) : (
    <div class="legend-line cell-line" data-query={cursor.query} data-key={cursor.key} data-weight={value}>
      <span class="mono">{pairName(shown, cursor)}</span>
      <b>{shown.scale.format(value)}</b>
    </div>
  );
}

function WindowLine({ shown, display }: { shown: ShownMatrix; display: Display }) {
  const { store } = usePanel();
  const hideSink = useSelected((state) => state.view.hideSink);
  const { matrix, trace, scale } = shown;
  const tokens = trace.tokens.length;
  const window = { queries: matrix.queries, keys: matrix.keys };
  const whole = isWhole(window, tokens);
  const zoom = (factor: number) => {
    const { cursor } = store.state;
    const middle = (range: TokenRange) => (range.from + range.to - 1) / 2;
    const around = cursor ?? { query: middle(matrix.queries), key: middle(matrix.keys) };
    store.showWindow(zoomWindow(window, factor, around, tokens));
  };
  const notes = [
    shown.unitLabels !== null ? `tokens are merged; a cell is ${scale.merging}` : null,
    matrix.queriesPerRow > 1 || matrix.keysPerColumn > 1
      ? `a cell is ${matrix.queriesPerRow} × ${matrix.keysPerColumn} tokens: ${scale.merging}`
      : null,
    hideSink && matrix.keysPerColumn > 1 && matrix.keys.from === 0
      ? `the hidden column holds tokens #0–${matrix.keysPerColumn - 1}`
      : null,
    display === 'lines' ? linesNote(shown, hideSink) : null,
  ].filter((note) => note !== null);
  return (
    <>
      {notes.map((note) => (
        <p key={note} class="legend-note">
          {note}
        </p>
      ))}
      {(tokens > ZOOM_FROM || !whole) && (
        <div class="window-line">
          <span class="window-range">
            {whole ? (
              <>all {formatCount(tokens)} tokens</>
            ) : (
              <>
                <span class="unbroken">queries {span(matrix.queries)} ·</span>{' '}
                <span class="unbroken">
                  keys {span(matrix.keys)} of {formatCount(tokens)}
                </span>
              </>
            )}
          </span>
          <IconButton icon="minus" label="Zoom out" disabled={whole} onPress={() => zoom(2)} />
          <IconButton
            icon="plus"
            label="Zoom in"
            title="Zoom in (or drag over the cells, or Ctrl+wheel)"
            onPress={() => zoom(0.5)}
          />
          <IconButton icon="fit" label="Show all tokens" disabled={whole} onPress={() => store.showWindow(null)} />
        </div>
      )}
    </>
  );
}

function linesNote({ matrix }: ShownMatrix, hideSink: boolean): string {
  const { leftOut } = linesOf(matrix, hideSink);
  return leftOut > 0
    ? `the strongest ${formatCount(MOST_LINES)} lines`
    : `weights below ${tick(WEAKEST_LINE)} have no line`;
}

function span({ from, to }: TokenRange): string {
  return `#${from}–${to - 1}`;
}
