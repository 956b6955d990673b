import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { TokenRange } from '../../src/protocol/trace';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { colourTable } from '../render/colour-map';
import { paintCells } from '../render/heat-map';
import {
  cellAt,
  columnOf,
  hasEmptyTriangle,
  isAboveDiagonal,
  keysOf,
  type MatrixGeometry,
  queriesOf,
  rowOf,
} from '../render/matrix-geometry';
import type { Palette } from '../render/theme';
import { zoomWindow } from '../render/token-window';
import { shortLabel } from '../render/visible-text';
import type { PanelState } from '../state';
import { fitCanvas, putPixels } from './canvas';
import { HEAD_KEYS, stepHeadByKey } from './head-keys';
import { cellValue, moveByKey, pairName } from './matrix-cursor';
import type { ShownMatrix } from './shown-matrix';

/** Width of a character in a monospaced font, in parts of its size. */
const CHARACTER_WIDTH = 0.6;
/** A pointer that moved less has clicked. */
const DRAG_FROM = 6;

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Drag extends Point {
  readonly to: Point;
}

interface AttentionMatrixProps {
  readonly shown: ShownMatrix;
  readonly geometry: MatrixGeometry;
  readonly devicePixelRatio: number;
}

/** The chosen head, queries down, keys to the right. */
export function AttentionMatrix({ shown, geometry, devicePixelRatio }: AttentionMatrixProps) {
  const { store } = usePanel();
  const palette = usePalette();
  const heat = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const hideSink = useSelected((state) => state.view.hideSink);
  const { matrix, trace, labels, unitLabels, scale } = shown;
  // Scores have no sink to hide.
  const sinkHidden = hideSink && scale.colours === 'weight' && matrix.keys.from === 0;

  useLayoutEffect(() => {
    const context = fitCanvas(heat.current!, geometry.width, geometry.height);
    const cell = geometry.cell * devicePixelRatio;
    const pixels = paintCells(
      {
        rows: matrix.rows,
        columns: matrix.columns,
        weights: matrix.weights,
        place: scale.place,
        isEmpty: (row, column) =>
          isAboveDiagonal(geometry, row, column) ||
          (sinkHidden && column === 0) ||
          Number.isNaN(matrix.weights[row * matrix.columns + column]),
      },
      cell,
      cell >= 8 ? 1 : 0,
      colourTable(scale.colours, palette.kind),
    );
    putPixels(context, pixels, geometry.labels, geometry.labels);
  }, [matrix, scale, geometry, palette, sinkHidden, devicePixelRatio]);

  useLayoutEffect(() => {
    const redraw = () => {
      const context = fitCanvas(overlay.current!, geometry.width, geometry.height);
      drawOverlay(context, geometry, { labels, unitLabels }, store.state, palette, sinkHidden, drag);
    };
    redraw();
    let { cursor, hovered } = store.state;
    return store.subscribe(() => {
      if (store.state.cursor !== cursor || store.state.hovered !== hovered) {
        ({ cursor, hovered } = store.state);
        redraw();
      }
    });
  }, [store, geometry, labels, unitLabels, palette, sinkHidden, drag]);

  useEffect(() => {
    // Preact adds wheel listeners as passive ones, which cannot keep the editor from zooming.
    const target = frame.current!;
    const onWheel = (event: WheelEvent) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const factor = Math.min(2, Math.max(0.5, 1.003 ** event.deltaY));
        store.showWindow(zoomWindow(geometry.window, factor, tokenAt(geometry, pointIn(event)), trace.tokens.length));
      }
    };
    target.addEventListener('wheel', onWheel, { passive: false });
    return () => target.removeEventListener('wheel', onWheel);
  }, [store, geometry, trace]);

  const pointAt = (event: PointerEvent) => {
    const cell = cellAt(geometry, pointIn(event).x, pointIn(event).y);
    if (cell !== null) {
      const query = queriesOf(geometry, cell.row).from;
      const key = keysOf(geometry, cell.column).from;
      const { cursor } = store.state;
      if (cursor?.query !== query || cursor.key !== key) {
        store.update({ cursor: { query, key } });
      }
    }
  };
  const onPointerMove = (event: PointerEvent) => {
    if (drag === null) {
      pointAt(event);
    } else {
      setDrag({ ...drag, to: pointIn(event) });
    }
  };
  const onPointerUp = (event: PointerEvent) => {
    setDrag(null);
    if (drag !== null && isDragged(drag)) {
      const one = tokenAt(geometry, drag);
      const other = tokenAt(geometry, drag.to);
      store.showWindow({ queries: spanned(one.query, other.query), keys: spanned(one.key, other.key) });
    } else if (cellAt(geometry, pointIn(event).x, pointIn(event).y) !== null && store.state.cursor !== null) {
      const { cursor } = store.state;
      store.pin(cursor.query);
      store.update({ cursor });
    }
  };

  return (
    <div
      ref={frame}
      class="matrix"
      style={{ width: `${geometry.width}px`, height: `${geometry.height}px` }}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the keys itself
      tabIndex={0}
      role="application"
      aria-roledescription="heat map"
      aria-label={`Attention matrix of layer ${matrix.layer}, head ${matrix.head}: ${scale.name}`}
      data-rows={matrix.rows}
      aria-description={`Arrows move the crosshair, Enter pins its row. ${HEAD_KEYS}.`}
      data-layer={matrix.layer}
      data-head={matrix.head}
      data-step={scale.step}
      data-window={[matrix.queries.from, matrix.queries.to, matrix.keys.from, matrix.keys.to].join(' ')}
      onPointerDown={(event) => {
        if (event.button === 0) {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag({ ...pointIn(event), to: pointIn(event) });
        }
      }}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => setDrag(null)}
      onDblClick={(event) =>
        store.showWindow(zoomWindow(geometry.window, 0.5, tokenAt(geometry, pointIn(event)), trace.tokens.length))
      }
      onKeyDown={(event) => {
        stepHeadByKey(store, event);
        moveByKey(store, shown, event);
      }}
    >
      <canvas ref={heat} role="img" aria-label={`Weights of layer ${matrix.layer}, head ${matrix.head}`} />
      <canvas ref={overlay} class="overlay" />
      {hasEmptyTriangle(geometry) && <Callout shown={shown} geometry={geometry} sinkHidden={sinkHidden} />}
    </div>
  );
}

/** The value under the crosshair, in the empty triangle beside the vertical hairline. */
function Callout({
  shown,
  geometry,
  sinkHidden,
}: {
  shown: ShownMatrix;
  geometry: MatrixGeometry;
  sinkHidden: boolean;
}) {
  const cursor = useSelected((state) => (state.hovered === null ? state.cursor : null));
  const value = cursor === null ? null : cellValue(shown.matrix, cursor);
  const column = cursor === null ? null : columnOf(geometry, cursor.key);
  if (cursor === null || value === null || column === null) {
    return null;
  }
  const x = geometry.labels + (column + 0.5) * geometry.cell;
  const atRight = column < geometry.columns * 0.62;
  const side = atRight
    ? { left: `${Math.max(x + 8, geometry.labels + 70)}px` }
    : { right: `${geometry.width - x + 8}px`, textAlign: 'right' as const };
  return (
    <div
      class="callout"
      data-query={cursor.query}
      data-key={cursor.key}
      data-weight={value}
      style={{ ...side, top: `${geometry.labels + 6}px` }}
    >
      <b>{sinkHidden && column === 0 ? 'hidden' : shown.scale.format(value)}</b>
      <span class="callout-pair">{pairName(shown, cursor)}</span>
    </div>
  );
}

/** Where a pointer is within the element that listens, also while it is captured. */
function pointIn(event: MouseEvent): Point {
  const box = (event.currentTarget as Element).getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function isDragged({ x, y, to }: Drag): boolean {
  return Math.max(Math.abs(to.x - x), Math.abs(to.y - y)) >= DRAG_FROM;
}

function spanned(one: number, other: number): TokenRange {
  return { from: Math.min(one, other), to: Math.max(one, other) + 1 };
}

/** The nearest token pair to a point, also above the diagonal and beyond the edges. */
function tokenAt(geometry: MatrixGeometry, point: Point) {
  const clamp = (value: number, count: number) => Math.min(count - 1, Math.max(0, Math.floor(value)));
  const row = clamp((point.y - geometry.labels) / geometry.cell, geometry.rows);
  const column = clamp((point.x - geometry.labels) / geometry.cell, geometry.columns);
  return { query: queriesOf(geometry, row).from, key: keysOf(geometry, column).from };
}

/** What names the rows and columns: the tokens, or the units they are merged to. */
type AxisNames = Pick<ShownMatrix, 'labels' | 'unitLabels'>;

function drawOverlay(
  context: CanvasRenderingContext2D,
  geometry: MatrixGeometry,
  names: AxisNames,
  state: PanelState,
  palette: Palette,
  sinkHidden: boolean,
  drag: Drag | null,
): void {
  const { labels: margin, cell, rows, columns } = geometry;
  const right = margin + columns * cell;
  const bottom = margin + rows * cell;
  const query = state.hovered ?? state.cursor?.query ?? null;
  const row = query === null ? null : rowOf(geometry, query);
  const column = state.hovered !== null || state.cursor === null ? null : columnOf(geometry, state.cursor.key);

  drawLabels(context, geometry, names, row, column, palette);

  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(margin - 0.5, bottom);
  context.lineTo(margin - 0.5, margin - 0.5);
  context.lineTo(right, margin - 0.5);
  context.stroke();

  if (sinkHidden) {
    const x = margin + Math.round(cell / 2) + 0.5;
    context.strokeStyle = palette.faint;
    context.setLineDash([1, 3]);
    context.beginPath();
    context.moveTo(x, margin + 2);
    context.lineTo(x, bottom);
    context.stroke();
    context.setLineDash([]);
  }

  if (row !== null) {
    const y = margin + row * cell;
    const middle = Math.round(y + cell / 2) - 0.5;
    const diagonal = lastColumn(geometry, row);
    context.strokeStyle = palette.crosshair;
    context.globalAlpha = 0.6;
    context.beginPath();
    if (column === null) {
      // A token that is pointed at elsewhere lights its whole row.
      context.globalAlpha = 0.9;
      const top = Math.round(y) - 1.5;
      context.rect(margin - 1.5, top, (diagonal + 1) * cell + 3, Math.max(3, Math.round(cell) + 2));
    } else {
      const x = margin + column * cell;
      const centre = Math.round(x + cell / 2) - 0.5;
      context.moveTo(margin - 3, middle);
      context.lineTo(x - 2, middle);
      context.moveTo(x + cell + 2, middle);
      context.lineTo(Math.max(x + cell + 2, margin + (diagonal + 1) * cell), middle);
      context.moveTo(centre, margin - 3);
      context.lineTo(centre, y - 2);
      context.moveTo(centre, y + cell + 2);
      context.lineTo(centre, bottom);
    }
    context.stroke();
    context.globalAlpha = 1;
    if (column !== null) {
      const side = Math.max(cell, 3);
      context.strokeStyle = palette.ring;
      context.lineWidth = 1.5;
      context.strokeRect(margin + column * cell - 1.25, y - 1.25, side + 2, side + 2);
    }
  }

  if (drag !== null && isDragged(drag)) {
    context.strokeStyle = palette.ring;
    context.lineWidth = 1;
    context.setLineDash([4, 3]);
    context.strokeRect(
      Math.round(Math.min(drag.x, drag.to.x)) + 0.5,
      Math.round(Math.min(drag.y, drag.to.y)) + 0.5,
      Math.abs(drag.to.x - drag.x),
      Math.abs(drag.to.y - drag.y),
    );
    context.setLineDash([]);
  }
}

/** The last column that a row can see. */
function lastColumn(geometry: MatrixGeometry, row: number): number {
  let column = geometry.columns - 1;
  while (column > 0 && isAboveDiagonal(geometry, row, column)) {
    column--;
  }
  return column;
}

function drawLabels(
  context: CanvasRenderingContext2D,
  geometry: MatrixGeometry,
  { labels, unitLabels }: AxisNames,
  markedRow: number | null,
  markedColumn: number | null,
  palette: Palette,
): void {
  const { labels: margin, cell, rows, columns } = geometry;
  const size = cell >= 9 ? 9 : cell >= 8 ? 8 : 8.5;
  context.textBaseline = 'middle';
  const characters = Math.floor((margin - 8) / (size * CHARACTER_WIDTH));
  const label = (range: TokenRange, on: boolean): string => {
    const name = unitLabels?.get(range.from) ?? (range.to - range.from === 1 ? (labels[range.from] ?? '') : undefined);
    if (name !== undefined) {
      return shortLabel(name, characters);
    }
    return on ? `#${range.from}–${range.to - 1}` : `#${range.from}`;
  };
  const axis = (
    count: number,
    marked: number | null,
    rangeOf: (at: number) => TokenRange,
    draw: (text: string, at: number) => void,
  ) => {
    const numbered = unitLabels === null && rangeOf(0).to - rangeOf(0).from > 1;
    const every = numbered ? geometry.labelEvery * 2 : geometry.labelEvery;
    for (let at = 0; at < count; at++) {
      const on = at === marked;
      // The marked label needs its room; those that would touch it give way.
      const crowded = every > 1 && marked !== null && !on && Math.abs(at - marked) < every;
      if (on || (at % every === 0 && !crowded)) {
        context.fillStyle = on ? palette.strong : palette.muted;
        context.font = `${on ? 700 : 400} ${size}px ${palette.monoFont}`;
        draw(label(rangeOf(at), on), at);
      }
    }
  };
  axis(
    rows,
    markedRow,
    (at) => queriesOf(geometry, at),
    (text, at) => {
      context.textAlign = 'right';
      context.fillText(text, margin - 5, margin + (at + 0.5) * cell);
    },
  );
  axis(
    columns,
    markedColumn,
    (at) => keysOf(geometry, at),
    (text, at) => {
      context.save();
      context.translate(margin + (at + 0.5) * cell, margin - 5);
      context.rotate(-Math.PI / 2);
      context.textAlign = 'left';
      context.fillText(text, 0, 0);
      context.restore();
    },
  );
}
