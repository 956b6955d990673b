import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { TokenRange } from '../../src/protocol/trace';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { type AttentionLine, linesOf } from '../render/attention-lines';
import { columnOf, keysOf, type MatrixRoom, queriesOf, rowOf } from '../render/matrix-geometry';
import { formatWeight } from '../render/number-format';
import type { Palette } from '../render/theme';
import { shortLabel } from '../render/visible-text';
import { fitCanvas } from './canvas';
import { HEAD_KEYS, stepHeadByKey } from './head-keys';
import { cellValue, moveByKey } from './matrix-cursor';
import type { ShownMatrix } from './shown-matrix';

const HEADINGS = 22;
const MARGIN = 84;
const WIDEST = 520;
const ROW = 10.4;
const LABEL_CHARACTERS = 13;
const OPACITY_LEVELS = 48;
const VALUE_WIDTH = 34;

interface LinesGeometry {
  readonly width: number;
  readonly height: number;
  /** Height of a row at the left, of a column at the right: both sides span the same height. */
  readonly row: number;
  readonly column: number;
}

/** The chosen head as lines from each query at the left to the keys that it reads from at the right. */
export function AttentionLines({ shown, room }: { shown: ShownMatrix; room: MatrixRoom }) {
  const { store } = usePanel();
  const palette = usePalette();
  const base = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const hideSink = useSelected((state) => state.view.hideSink);
  const { matrix, labels } = shown;
  const geometry = useMemo(() => linesGeometry(shown, room), [matrix, room.width, room.height]);
  const { lines } = useMemo(() => linesOf(matrix, hideSink), [matrix, hideSink]);

  useLayoutEffect(() => {
    const draw = () => {
      const context = fitCanvas(base.current!, geometry.width, geometry.height);
      context.strokeStyle = palette.data;
      context.lineWidth = 1.2;
      // Lines of about the same weight are stroked together: thousands of strokes would take longer than a frame.
      for (let from = 0; from < lines.length; ) {
        const level = Math.ceil(lines[from].weight * OPACITY_LEVELS);
        let to = from;
        context.beginPath();
        while (to < lines.length && Math.ceil(lines[to].weight * OPACITY_LEVELS) === level) {
          traceLine(context, geometry, lines[to]);
          to++;
        }
        context.globalAlpha = (level / OPACITY_LEVELS) * 0.85;
        context.stroke();
        from = to;
      }
      context.globalAlpha = 1;
    };
    const focusedRow = () => rowInFocus(shown, store.state.hovered ?? store.state.cursor?.query ?? null);
    const drawFocus = () => {
      const context = fitCanvas(overlay.current!, geometry.width, geometry.height);
      const row = focusedRow();
      const focused = row === null ? [] : lines.filter((line) => line.row === row);
      drawLabels(context, geometry, shown, row, focused, palette);
      context.strokeStyle = palette.strong;
      context.lineWidth = 1.6;
      for (const line of focused) {
        context.globalAlpha = Math.min(1, line.weight * 1.2 + 0.08);
        context.beginPath();
        traceLine(context, geometry, line);
        context.stroke();
      }
      context.globalAlpha = 1;
    };
    draw();
    drawFocus();
    let { cursor, hovered } = store.state;
    return store.subscribe(() => {
      if (store.state.cursor !== cursor || store.state.hovered !== hovered) {
        ({ cursor, hovered } = store.state);
        drawFocus();
      }
    });
  }, [store, shown.trace, matrix, geometry, lines, labels, palette, room.devicePixelRatio]);

  const onPointerMove = (event: PointerEvent) => {
    const row = Math.floor((event.offsetY - HEADINGS) / geometry.row);
    if (row < 0 || row >= matrix.rows) {
      return;
    }
    const strongest = lines.findLast((line) => line.row === row);
    const { from: query, to: end } = queriesOf(matrix, row);
    const column = strongest?.column ?? Math.min(matrix.columns - 1, row);
    const key = Math.min(end - 1, keysOf(matrix, column).from);
    const { cursor } = store.state;
    if (cursor?.query !== query || cursor.key !== key) {
      store.update({ cursor: { query, key } });
    }
  };

  return (
    <div
      class="lines"
      style={{ width: `${geometry.width}px`, height: `${geometry.height}px` }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the keys itself
      tabIndex={0}
      role="application"
      aria-roledescription="line diagram"
      aria-label={`Attention lines of layer ${matrix.layer}, head ${matrix.head}`}
      aria-description={`Arrows move, Enter pins the query. ${HEAD_KEYS}.`}
      data-layer={matrix.layer}
      data-head={matrix.head}
      onPointerMove={onPointerMove}
      onClick={() => {
        const { cursor } = store.state;
        if (cursor !== null) {
          store.pin(cursor.query);
          store.update({ cursor });
        }
      }}
      onKeyDown={(event) => {
        stepHeadByKey(store, event);
        moveByKey(store, shown, event);
      }}
    >
      <canvas ref={base} role="img" aria-label={`Lines of layer ${matrix.layer}, head ${matrix.head}`} />
      <canvas ref={overlay} class="overlay" />
      <LineValue shown={shown} geometry={geometry} />
    </div>
  );
}

function linesGeometry({ matrix }: ShownMatrix, room: MatrixRoom): LinesGeometry {
  const longest = Math.max(matrix.rows, matrix.columns);
  const height = Math.min(longest * ROW, Math.max(room.height, 60 * ROW) - HEADINGS);
  return {
    width: Math.min(WIDEST, room.width),
    height: HEADINGS + height + 2,
    row: height / matrix.rows,
    column: height / matrix.columns,
  };
}

function rowInFocus({ matrix }: ShownMatrix, query: number | null): number | null {
  return query === null ? null : rowOf(matrix, query);
}

function traceLine(context: CanvasRenderingContext2D, geometry: LinesGeometry, { row, column }: AttentionLine): void {
  const from = HEADINGS + (row + 0.5) * geometry.row;
  const to = HEADINGS + (column + 0.5) * geometry.column;
  const left = MARGIN;
  const right = geometry.width - MARGIN;
  const middle = (left + right) / 2;
  context.moveTo(left, from);
  context.bezierCurveTo(middle, from, middle, to, right, to);
}

function drawLabels(
  context: CanvasRenderingContext2D,
  geometry: LinesGeometry,
  shown: ShownMatrix,
  focusedRow: number | null,
  focused: readonly AttentionLine[],
  palette: Palette,
): void {
  const { matrix } = shown;
  context.textBaseline = 'middle';
  context.fillStyle = palette.muted;
  context.font = `11px ${palette.uiFont}`;
  context.textAlign = 'right';
  context.fillText('attends from', MARGIN - 6, 8);
  context.textAlign = 'left';
  context.fillText('to', geometry.width - MARGIN + 6, 8);
  const strong = new Set(focused.filter((line) => line.weight > 0.08).map((line) => line.column));
  const side = (
    count: number,
    pitch: number,
    rangeOf: (at: number) => TokenRange,
    isOn: (at: number) => boolean,
    put: (text: string, y: number) => void,
  ) => {
    const grouped = count > 0 && shown.unitLabels === null && rangeOf(0).to - rangeOf(0).from > 1;
    const every = Math.max(1, Math.ceil((grouped ? 16 : 9) / pitch));
    const marked = Array.from({ length: count }, (_, at) => at).filter(isOn);
    for (let at = 0; at < count; at++) {
      const on = isOn(at);
      const crowded = every > 1 && !on && marked.some((other) => Math.abs(other - at) < every);
      if (on || (at % every === 0 && !crowded)) {
        context.fillStyle = on ? palette.strong : palette.muted;
        context.font = `${on ? 700 : 400} 9px ${palette.monoFont}`;
        put(axisLabel(shown, rangeOf(at), on), HEADINGS + (at + 0.5) * pitch);
      }
    }
  };
  context.textAlign = 'right';
  side(
    matrix.rows,
    geometry.row,
    (at) => queriesOf(matrix, at),
    (at) => at === focusedRow,
    (text, y) => context.fillText(text, MARGIN - 6, y),
  );
  context.textAlign = 'left';
  side(
    matrix.columns,
    geometry.column,
    (at) => keysOf(matrix, at),
    (at) => strong.has(at),
    (text, y) => context.fillText(text, geometry.width - MARGIN + 6, y),
  );
}

/** The weight at the crosshair, beside the key's label. */
function LineValue({ shown, geometry }: { shown: ShownMatrix; geometry: LinesGeometry }) {
  const cursor = useSelected((state) => (state.hovered === null ? state.cursor : null));
  const value = cursor === null ? null : cellValue(shown.matrix, cursor);
  if (cursor === null || value === null) {
    return null;
  }
  const { matrix } = shown;
  const column = columnOf(matrix, cursor.key) ?? 0;
  const characters = [...axisLabel(shown, keysOf(matrix, column), true)].length;
  const besideLabel = 12 + characters * 5.5;
  const place =
    besideLabel + VALUE_WIDTH <= MARGIN
      ? { left: `${geometry.width - MARGIN + besideLabel}px` }
      : { right: `${MARGIN + 2}px` };
  return (
    <span
      class="line-value"
      data-query={cursor.query}
      data-key={cursor.key}
      data-weight={value}
      style={{ ...place, top: `${HEADINGS + (column + 0.5) * geometry.column - 8}px` }}
    >
      {formatWeight(value)}
    </span>
  );
}

/** A unit goes by its text, a group of tokens by its first number, in full where it is marked. */
function axisLabel({ labels, unitLabels }: ShownMatrix, { from, to }: TokenRange, marked: boolean): string {
  const label = unitLabels?.get(from) ?? (to - from === 1 ? (labels[from] ?? '') : undefined);
  if (label !== undefined) {
    return shortLabel(label, LABEL_CHARACTERS);
  }
  return marked ? `#${from}–${to - 1}` : `#${from}`;
}
