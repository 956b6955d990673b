import { largestCell } from './matrix-geometry';

/** How the attention section shares the panel's width, in CSS pixels. */
export interface AttentionLayout {
  /** `wide`: grid, matrix, facts in a row. `medium`: facts under the grid. `small`: matrix under both. `narrow`: one column. */
  readonly arrangement: 'wide' | 'medium' | 'small' | 'narrow';
  /** Distance from one thumbnail to the next. */
  readonly pitch: number;
  /** Width left for the matrix. */
  readonly matrixWidth: number;
  readonly matrixHeight: number;
}

/** Room of the layer ruler left of the grid, of the head ruler above it, and between rows for the tags. */
export const LAYER_RULER = 26;
export const HEAD_RULER = 18;
export const TAG_GAP = 4;

const COLUMN_GAP = 24;
const FACTS_WIDTH = 160;
const LARGEST_PITCH = 48;
/** From here on a thumbnail can be read; the matrix gives up its largest cells for it. */
const READABLE_PITCH = 30;
const SMALLEST_LARGE_MATRIX = 360;
const SMALLEST_PITCH = 9;

/** The horizontal inset of a section's content. */
export function inset(panelWidth: number): number {
  return panelWidth <= 520 ? 12 : 16;
}

/** Lays the section out for a panel, a window and a model. */
export function attentionLayout(
  panelWidth: number,
  viewportHeight: number,
  heads: number,
  layers: number,
  tokens: number,
): AttentionLayout {
  const inner = panelWidth - 2 * inset(panelWidth);
  const pitchFor = (width: number, largest = LARGEST_PITCH) =>
    Math.max(SMALLEST_PITCH, Math.min(largest, Math.floor((width - LAYER_RULER) / heads)));
  // A matrix that still fits with 8 px cells stays out of the way; a longer passage gets what the window has.
  const height = tokens <= 60 ? Math.max(0.42 * viewportHeight, tokens * 9 + 66) : Math.max(380, 0.62 * viewportHeight);

  if (panelWidth >= 680) {
    const facts = panelWidth >= 900 ? COLUMN_GAP + FACTS_WIDTH : 0;
    const shared = inner - facts - COLUMN_GAP;
    const tallest = Math.min(LARGEST_PITCH, Math.max(22, Math.floor((height - HEAD_RULER) / layers) - TAG_GAP));
    const pitchBeside = (matrix: number) => pitchFor(shared - Math.min(matrix, 0.7 * shared), tallest);
    // Beside the matrix at its best, and where that is too narrow, beside one whose cells can still be pointed at.
    const best =
      tokens <= 60 ? tokens * Math.min(largestCell(tokens), Math.floor((height - 65) / tokens)) + 65 : height;
    const modest = tokens <= 60 ? tokens * 8 + 57 : SMALLEST_LARGE_MATRIX;
    const pitch = Math.max(pitchBeside(best), Math.min(READABLE_PITCH, pitchBeside(modest)));
    return {
      arrangement: panelWidth >= 900 ? 'wide' : 'medium',
      pitch,
      matrixWidth: shared - gridWidth(pitch, heads),
      matrixHeight: height,
    };
  }
  if (panelWidth >= 540) {
    const pitch = pitchFor(inner - COLUMN_GAP - FACTS_WIDTH - 40);
    return { arrangement: 'small', pitch, matrixWidth: inner, matrixHeight: Math.max(height, inner) };
  }
  return {
    arrangement: 'narrow',
    pitch: pitchFor(inner, 40),
    matrixWidth: inner,
    matrixHeight: Math.max(height, inner),
  };
}

/** Width of the grid, its layer ruler included. */
export function gridWidth(pitch: number, heads: number): number {
  return LAYER_RULER + pitch * heads;
}

/** Height of the grid, its head ruler included. */
export function gridHeight(pitch: number, layers: number): number {
  return HEAD_RULER + (pitch + TAG_GAP) * layers - TAG_GAP;
}

/** Empty pixels between two thumbnails. */
export function thumbnailGap(pitch: number): number {
  return pitch > 24 ? 3 : pitch > 12 ? 2 : 1;
}
