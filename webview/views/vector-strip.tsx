import { usePalette } from '../panel-context';
import { cssColour } from '../render/colour-map';
import { formatNumber } from '../render/number-format';

interface VectorStripProps {
  /** What it is, for a screen reader and the pointer. */
  readonly name: string;
  readonly values: Float32Array;
  /** The magnitude at the ends of the colours. */
  readonly extent: number;
}

/** Wider strips would be lines of a pixel. */
const MOST_CELLS = 64;

/** A vector as a row of cells, blue below zero and orange above. */
export function VectorStrip({ name, values, extent }: VectorStripProps) {
  const palette = usePalette();
  const shown = values.length <= MOST_CELLS ? values : values.subarray(0, MOST_CELLS);
  const rest = values.length - shown.length;
  const length = Math.hypot(...values);
  const title = `${name}: ${values.length} numbers, length ${formatNumber(length)}${
    rest > 0 ? `; the first ${MOST_CELLS} are drawn` : ''
  }`;
  return (
    <span class="vector-strip" role="img" aria-label={title} title={title}>
      {Array.from(shown, (value, at) => (
        <i
          key={at}
          style={{
            backgroundColor: cssColour('score', palette.kind, 0.5 + (extent > 0 ? value / extent / 2 : 0)),
          }}
        />
      ))}
    </span>
  );
}

/** Says how much of a vector of that width is drawn. */
export function drawnOf(width: number): string {
  return width <= MOST_CELLS ? 'its numbers' : `its first ${MOST_CELLS} of ${width} numbers`;
}

/** The largest magnitude in some vectors: one scale for all of them. */
export function extentOf(vectors: readonly Float32Array[]): number {
  return vectors.reduce(
    (largest, vector) => vector.reduce((most, value) => Math.max(most, Math.abs(value)), largest),
    0,
  );
}
