import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Trace } from '../../src/protocol/trace';
import { usePalette, usePanel, useSelected } from '../panel-context';
import { axisFor, groupBars } from '../render/bar-profile';
import { formatCount } from '../render/number-format';
import type { Palette } from '../render/theme';
import { type ColourMode, pinnedToken, rowOfQuery } from '../state';
import { fitCanvas, useWidth } from './canvas';

const HEIGHT = 118;
const AXIS = 24;
const BELOW = 14;

interface Axis {
  readonly top: number;
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
}

interface ProfileData {
  readonly label: string;
  readonly note: { readonly label: string; readonly value: string }[];
  readonly values: readonly (number | null)[];
  readonly axis: Axis;
  readonly colour: (palette: Palette) => string;
}

/** A bar a token, in the measure that colours the tokens. */
export function TokenProfile({ trace, colour }: { trace: Trace; colour: ColourMode }) {
  const { store } = usePanel();
  const palette = usePalette();
  const { element, width } = useWidth();
  const canvas = useRef<HTMLCanvasElement>(null);
  const marked = useSelected((state) => state.hovered ?? pinnedToken(state));
  const pinned = useSelected(pinnedToken);
  const weights = useSelected((state) => (colour === 'attention' ? rowOfQuery(state, pinnedToken(state)) : null));
  const data = profileData(trace, colour, weights, pinned);
  const plotWidth = Math.max(0, width - AXIS);
  const bars = groupBars(data.values, plotWidth);

  useLayoutEffect(() => {
    if (canvas.current !== null && width > 0) {
      draw(fitCanvas(canvas.current, width, HEIGHT), width, data, bars, marked, palette);
    }
  });

  const tokenAt = (event: MouseEvent): number | null => {
    const x = event.offsetX - AXIS;
    const bar = Math.floor((x / plotWidth) * bars.values.length);
    const index = bar * bars.group;
    return x < 0 || index >= trace.tokens.length ? null : index;
  };
  return (
    <div class="profile" ref={element}>
      <div class="profile-head">
        <span>{data.label}</span>
        <span>
          {data.note.map(({ label, value }, at) => (
            <span key={label}>
              {at > 0 && ' · '}
              {label} <b>{value}</b>
            </span>
          ))}
        </span>
      </div>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Bar chart over the tokens: ${data.label}${bars.group > 1 ? `, a bar is the highest of ${bars.group}` : ''}`}
        onPointerMove={(event) => store.hover(tokenAt(event))}
        onPointerLeave={() => store.hover(null)}
        onClick={(event) => {
          const index = tokenAt(event);
          if (index !== null) {
            store.pin(index);
          }
        }}
      />
    </div>
  );
}

function profileData(
  trace: Trace,
  colour: ColourMode,
  weights: Float32Array | null,
  pinned: number | null,
): ProfileData {
  const { tokens } = trace;
  switch (colour) {
    case 'splits': {
      const values = tokens.map((token) => token.bytes.length);
      const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
      return {
        label: 'bytes per token',
        note: [{ label: 'mean', value: mean.toFixed(1) }],
        values,
        axis: linearAxis(Math.max(4, ...values)),
        colour: (palette) => palette.splitBar,
      };
    }
    case 'surprisal': {
      const values = tokens.map((token) => token.surprisal);
      const { meanSurprisal, perplexity } = trace;
      return {
        label: 'bits per token',
        note:
          meanSurprisal === null || perplexity === null
            ? []
            : [
                { label: 'mean', value: meanSurprisal.toFixed(1) },
                { label: 'perplexity', value: perplexity.toFixed(1) },
              ],
        values,
        axis: linearAxis(Math.max(4, ...values.map((value) => value ?? 0))),
        colour: (palette) => palette.surprisalBar,
      };
    }
    case 'rank': {
      const ranks = tokens.flatMap((token) => (token.rank === null ? [] : [token.rank]));
      const decades = Math.max(1, Math.ceil(Math.log10(Math.max(1, ...ranks))));
      return {
        label: 'rank, log scale',
        note: [
          {
            label: 'rank 1:',
            value: `${formatCount(ranks.filter((rank) => rank === 1).length)} of ${formatCount(ranks.length)}`,
          },
        ],
        values: tokens.map((token) => (token.rank === null ? null : Math.log10(token.rank))),
        axis: {
          top: decades,
          ticks: Array.from({ length: decades + 1 }, (_, at) => ({
            at,
            label: at < 3 ? String(10 ** at) : `${10 ** (at - 3)}k`,
          })),
        },
        colour: (palette) => palette.rankBar,
      };
    }
    case 'attention':
      return {
        label: 'weight',
        note: [{ label: 'from', value: `#${pinned}` }],
        values: tokens.map((token) => (weights === null || token.index > (pinned ?? 0) ? null : weights[token.index])),
        axis: {
          top: 1,
          ticks: [
            { at: 0, label: '0' },
            { at: 0.5, label: '.5' },
            { at: 1, label: '1' },
          ],
        },
        colour: (palette) => palette.data,
      };
  }
}

function linearAxis(largest: number): Axis {
  const { top, ticks } = axisFor(largest);
  return { top, ticks: ticks.map((at) => ({ at, label: String(at) })) };
}

function draw(
  context: CanvasRenderingContext2D,
  width: number,
  data: ProfileData,
  bars: ReturnType<typeof groupBars>,
  marked: number | null,
  palette: Palette,
): void {
  const floor = HEIGHT - BELOW;
  const y = (value: number) => floor - (value / data.axis.top) * (floor - 10);
  context.font = `10px ${palette.uiFont}`;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  for (const { at, label } of data.axis.ticks) {
    context.fillStyle = palette.line;
    context.fillRect(AXIS, Math.round(y(at)), width - AXIS, 1);
    context.fillStyle = palette.muted;
    context.fillText(label, AXIS - 5, Math.round(y(at)) + 1);
  }
  const pitch = (width - AXIS) / Math.max(1, bars.values.length);
  const markedBar = marked === null ? null : Math.floor(marked / bars.group);
  const barWidth = Math.min(24, Math.max(1, pitch > 4 ? pitch - 1.2 : pitch * 0.7));
  bars.values.forEach((value, at) => {
    if (value !== null) {
      const height = Math.max(1, floor - y(value));
      context.fillStyle = at === markedBar ? palette.strong : data.colour(palette);
      context.fillRect(AXIS + at * pitch, floor - height, barWidth, height);
    }
  });
  let markedFrom = width;
  if (marked !== null && markedBar !== null) {
    const label = `#${marked}`;
    const half = context.measureText(label).width / 2;
    const middle = Math.min(width - half, Math.max(AXIS + half, AXIS + markedBar * pitch + barWidth / 2));
    context.textAlign = 'center';
    context.fillStyle = palette.strong;
    context.fillText(label, middle, HEIGHT - 6);
    markedFrom = middle - half;
  }
  if (bars.group > 1) {
    const label = `highest of ${bars.group} a bar`;
    context.textAlign = 'left';
    context.fillStyle = palette.faint;
    if (AXIS + context.measureText(label).width + 8 < markedFrom) {
      context.fillText(label, AXIS, HEIGHT - 6);
    }
  }
}
