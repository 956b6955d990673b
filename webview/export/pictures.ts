import { type ColourMapName, cssColour } from '../render/colour-map';
import type { Palette } from '../render/theme';
import type { FilledRect, Picture, Surface } from './surface';

/** Space around every picture. */
const MARGIN = 12;
/** Of a character of a monospaced font, in parts of its size. */
const CHARACTER = 0.6;
const LABEL_SIZE = 9;
const TITLE_HEIGHT = 22;

/** A grid of coloured cells with names on two sides. */
export interface GridPicture {
  readonly title: string;
  /** Side of a cell, or width and height. */
  readonly cellWidth: number;
  readonly cellHeight: number;
  readonly rowLabels: readonly string[];
  readonly columnLabels: readonly string[];
  /** Names of columns stand upright, so that narrow columns have room for them. */
  readonly uprightColumns: boolean;
  /** Null leaves a cell empty. */
  readonly fill: (row: number, column: number) => string | null;
  /** Written into the cell. */
  readonly text?: (row: number, column: number) => string;
}

export function gridPicture(grid: GridPicture, palette: Palette): Picture {
  const { rowLabels, columnLabels, cellWidth, cellHeight, uprightColumns } = grid;
  const longest = (labels: readonly string[]) => labels.reduce((most, label) => Math.max(most, [...label].length), 0);
  const left = MARGIN + longest(rowLabels) * LABEL_SIZE * CHARACTER + 6;
  const labelHeight = uprightColumns ? longest(columnLabels) * LABEL_SIZE * CHARACTER + 6 : LABEL_SIZE + 8;
  const top = MARGIN + TITLE_HEIGHT + labelHeight;
  const width = Math.max(left + columnLabels.length * cellWidth, MARGIN + grid.title.length * 6.5) + MARGIN;
  const label = { size: LABEL_SIZE, fill: palette.muted, font: palette.monoFont };
  // Labels thin out before they touch.
  const every = (pitch: number) => Math.max(1, Math.ceil((LABEL_SIZE - 1) / pitch));
  const draw = (surface: Surface) => {
    drawTitle(surface, grid.title, palette);
    const gap = Math.min(cellWidth, cellHeight) >= 8 ? 1 : 0;
    const cells: FilledRect[] = [];
    for (let row = 0; row < rowLabels.length; row++) {
      for (let column = 0; column < columnLabels.length; column++) {
        const fill = grid.fill(row, column);
        if (fill === null) {
          continue;
        }
        const x = left + column * cellWidth;
        const y = top + row * cellHeight;
        const before = cells.at(-1);
        if (gap === 0 && before?.fill === fill && before.y === y && before.x + before.width === x) {
          cells[cells.length - 1] = { ...before, width: before.width + cellWidth };
        } else {
          cells.push({ x, y, width: cellWidth - gap, height: cellHeight - gap, fill });
        }
      }
    }
    surface.cells(cells);
    rowLabels.forEach((text, row) => {
      if (row % every(cellHeight) === 0) {
        surface.text(text, left - 5, top + (row + 0.5) * cellHeight, { ...label, align: 'right' });
      }
    });
    columnLabels.forEach((text, column) => {
      const x = left + (column + 0.5) * cellWidth;
      if (uprightColumns && column % every(cellWidth) === 0) {
        surface.text(text, x, top - 5, { ...label, upwards: true });
      } else if (!uprightColumns) {
        surface.text(text, left + column * cellWidth + 3, top - 8, label);
      }
    });
    if (grid.text !== undefined) {
      for (let row = 0; row < rowLabels.length; row++) {
        for (let column = 0; column < columnLabels.length; column++) {
          const at = { x: left + column * cellWidth + 4, y: top + (row + 0.5) * cellHeight };
          surface.text(grid.text(row, column), at.x, at.y, { ...label, size: 10, fill: palette.strong });
        }
      }
    }
  };
  return {
    width: Math.ceil(width),
    height: Math.ceil(top + rowLabels.length * cellHeight + MARGIN),
    background: palette.background,
    draw,
  };
}

/** A line from each row at the left to the columns at the right that it reads from. */
export interface LinesPicture {
  readonly title: string;
  readonly rowLabels: readonly string[];
  readonly columnLabels: readonly string[];
  /** Weakest first. */
  readonly lines: readonly { readonly row: number; readonly column: number; readonly weight: number }[];
}

export function linesPicture({ title, rowLabels, columnLabels, lines }: LinesPicture, palette: Palette): Picture {
  const side = 110;
  const width = 560;
  const top = MARGIN + TITLE_HEIGHT;
  const height = Math.max(rowLabels.length, columnLabels.length) * 12;
  const rowPitch = height / rowLabels.length;
  const columnPitch = height / columnLabels.length;
  const label = { size: LABEL_SIZE, fill: palette.muted, font: palette.monoFont };
  const draw = (surface: Surface) => {
    drawTitle(surface, title, palette);
    const [left, right] = [side, width - side];
    const middle = (left + right) / 2;
    for (const { row, column, weight } of lines) {
      const from = top + (row + 0.5) * rowPitch;
      const to = top + (column + 0.5) * columnPitch;
      const points = [
        { x: left, y: from },
        { x: middle, y: from },
        { x: middle, y: to },
        { x: right, y: to },
      ];
      surface.stroke(points, { stroke: palette.data, width: 1.2, opacity: Math.min(1, weight) * 0.85, curved: true });
    }
    rowLabels.forEach((text, row) => {
      surface.text(text, left - 6, top + (row + 0.5) * rowPitch, { ...label, align: 'right' });
    });
    columnLabels.forEach((text, column) => {
      surface.text(text, right + 6, top + (column + 0.5) * columnPitch, label);
    });
  };
  return { width, height: Math.ceil(top + height + MARGIN), background: palette.background, draw };
}

/** One bar a row, with its name and its number. */
export interface BarPicture {
  readonly title: string;
  readonly bars: readonly { readonly label: string; readonly value: number; readonly text: string }[];
  /** The colour of a bar; the data colour where it is left out. */
  readonly fill?: (value: number) => string;
}

export function barPicture({ title, bars, fill }: BarPicture, palette: Palette): Picture {
  const longest = bars.reduce((most, { label }) => Math.max(most, [...label].length), 0);
  const left = MARGIN + longest * 11 * CHARACTER + 8;
  const length = 320;
  const width = Math.max(left + length + 80, MARGIN + title.length * 6.5 + MARGIN);
  const top = MARGIN + TITLE_HEIGHT;
  const row = 18;
  const largest = bars.reduce((most, { value }) => Math.max(most, Math.abs(value)), Number.MIN_VALUE);
  const hasNegative = bars.some(({ value }) => value < 0);
  const zero = hasNegative ? left + length / 2 : left;
  const scale = (hasNegative ? length / 2 : length) / largest;
  const draw = (surface: Surface) => {
    drawTitle(surface, title, palette);
    surface.cells(
      bars.map(({ value }, at) => ({
        x: value < 0 ? zero + value * scale : zero,
        y: top + at * row + 4,
        width: Math.abs(value) * scale,
        height: row - 8,
        fill: fill?.(value) ?? palette.data,
      })),
    );
    bars.forEach(({ label, text }, at) => {
      const y = top + (at + 0.5) * row;
      surface.text(label, left - 8, y, { size: 11, fill: palette.strong, font: palette.monoFont, align: 'right' });
      const end = { size: 11, fill: palette.muted, font: palette.uiFont, align: 'right' } as const;
      surface.text(text, width - MARGIN, y, end);
    });
  };
  return { width: Math.ceil(width), height: top + bars.length * row + MARGIN, background: palette.background, draw };
}

/** The colours of a map, in so many steps that neighbours cannot be told apart and cells of one colour share a path. */
export function steppedColour(map: ColourMapName, palette: Palette): (place: number) => string {
  const steps = 255;
  const known = new Map<number, string>();
  return (place) => {
    const step = Math.round(Math.min(1, Math.max(0, place)) * steps);
    const colour = known.get(step) ?? cssColour(map, palette.kind, step / steps);
    known.set(step, colour);
    return colour;
  };
}

function drawTitle(surface: Surface, title: string, palette: Palette): void {
  surface.text(title, MARGIN, MARGIN + 7, { size: 12, weight: 600, fill: palette.strong, font: palette.uiFont });
}
