import type { HeadOverview } from '../../src/protocol/trace';
import { gridPicture, linesPicture, steppedColour } from '../export/pictures';
import type { FilledRect, Picture } from '../export/surface';
import { linesOf } from '../render/attention-lines';
import { isAboveDiagonal, keysOf, queriesOf } from '../render/matrix-geometry';
import type { Palette } from '../render/theme';
import { shortLabel } from '../render/visible-text';
import type { ShownMatrix } from './shown-matrix';

const LABEL_CHARACTERS = 14;
/** Sides of a cell: of few tokens, and of many. */
const LARGEST_CELL = 20;
const SMALLEST_CELL = 2;
/** What a matrix of many tokens should not exceed. */
const USUAL_SIDE = 1200;
const THUMBNAIL = 72;

/** What a row or column is called: its text, and the tokens where it has several. */
export function pairPart({ labels, unitLabels }: ShownMatrix, from: number, to: number): string {
  const numbers = to - from === 1 ? `#${from}` : `#${from}–${to - 1}`;
  const label = unitLabels?.get(from) ?? (to - from === 1 ? labels[from] : undefined);
  return label === undefined ? numbers : `${numbers} ${label}`;
}

/** The shown matrix, cell for cell as on the screen. */
export function matrixPicture(shown: ShownMatrix, hideSink: boolean, palette: Palette): Picture {
  const { matrix, scale } = shown;
  const colour = steppedColour(scale.colours, palette);
  const shape = { ...matrix, full: scale.full };
  const most = Math.max(matrix.rows, matrix.columns);
  const cell = Math.max(SMALLEST_CELL, Math.min(LARGEST_CELL, Math.floor(USUAL_SIDE / most)));
  const { rowLabels, columnLabels } = axisLabels(shown);
  const sinkHidden = hideSink && scale.colours === 'weight' && matrix.keys.from === 0;
  return gridPicture(
    {
      title: titleOf(shown),
      ...{ cellWidth: cell, cellHeight: cell, uprightColumns: true, rowLabels, columnLabels },
      fill: (row, column) => {
        const value = matrix.weights[row * matrix.columns + column];
        const empty = Number.isNaN(value) || (sinkHidden && column === 0) || isAboveDiagonal(shape, row, column);
        return empty ? null : colour(scale.place(value));
      },
    },
    palette,
  );
}

export function attentionLinesPicture(shown: ShownMatrix, hideSink: boolean, palette: Palette): Picture {
  const { lines } = linesOf(shown.matrix, hideSink);
  return linesPicture({ title: titleOf(shown), ...axisLabels(shown), lines }, palette);
}

/** Every head as a thumbnail, layer by layer. */
export function headGridPicture(overview: HeadOverview, hideSink: boolean, palette: Palette): Picture {
  const { layers, heads, side, thumbnails } = overview;
  const colour = steppedColour('weight', palette);
  const cell = THUMBNAIL / side;
  const [left, top, pitch] = [40, 48, THUMBNAIL + 6];
  const label = { size: 10, fill: palette.muted, font: palette.uiFont };
  return {
    width: left + heads * pitch + 12,
    height: top + layers * pitch + 12,
    background: palette.background,
    draw: (surface) => {
      surface.text(`All heads, ${layers} layers × ${heads} heads`, 12, 16, {
        ...label,
        size: 12,
        fill: palette.strong,
      });
      const cells: FilledRect[] = [];
      for (let layer = 0; layer < layers; layer++) {
        surface.text(`L${layer}`, left - 8, top + layer * pitch + THUMBNAIL / 2, { ...label, align: 'right' });
        for (let head = 0; head < heads; head++) {
          const from = (layer * heads + head) * side * side;
          for (let row = 0; row < side; row++) {
            for (let column = hideSink ? 1 : 0; column <= row; column++) {
              const fill = colour(thumbnails[from + row * side + column] / 255);
              const x = left + head * pitch + column * cell;
              const y = top + layer * pitch + row * cell;
              const before = cells.at(-1);
              if (before?.fill === fill && before.y === y && Math.abs(before.x + before.width - x) < 1e-6) {
                cells[cells.length - 1] = { ...before, width: before.width + cell };
              } else {
                cells.push({ x, y, width: cell, height: cell, fill });
              }
            }
          }
        }
      }
      surface.cells(cells);
      for (let head = 0; head < heads; head++) {
        surface.text(`H${head}`, left + head * pitch + THUMBNAIL / 2, top - 10, { ...label, align: 'center' });
      }
    },
  };
}

function titleOf({ matrix, scale, heads }: ShownMatrix): string {
  const whose = {
    one: `Layer ${matrix.layer}, head ${matrix.head}`,
    'layer-mean': `All heads of layer ${matrix.layer}`,
    'layer-max': `All heads of layer ${matrix.layer}`,
    'model-mean': 'All heads of the model',
    'model-max': 'All heads of the model',
    rollout: `To layer ${matrix.layer}`,
  };
  return `${whose[heads]}: ${scale.name}`;
}

function axisLabels({ matrix, labels, unitLabels }: ShownMatrix): {
  readonly rowLabels: readonly string[];
  readonly columnLabels: readonly string[];
} {
  const name = ({ from, to }: { from: number; to: number }) =>
    shortLabel(unitLabels?.get(from) ?? (to - from === 1 ? (labels[from] ?? '') : `#${from}`), LABEL_CHARACTERS);
  return {
    rowLabels: Array.from({ length: matrix.rows }, (_, row) => name(queriesOf(matrix, row))),
    columnLabels: Array.from({ length: matrix.columns }, (_, column) => name(keysOf(matrix, column))),
  };
}
