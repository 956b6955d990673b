/** What pictures are drawn on: a canvas, or a file of vectors. Lengths are in CSS pixels. */
export interface Surface {
  /** Filled rectangles that do not overlap. */
  cells(cells: Iterable<FilledRect>): void;
  text(text: string, x: number, y: number, style: TextStyle): void;
  /** A stroke through points, or with four of them the cubic curve from the first to the last. */
  stroke(points: readonly Point[], style: StrokeStyle): void;
}

export interface FilledRect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly fill: string;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface TextStyle {
  readonly size: number;
  readonly fill: string;
  readonly font: string;
  readonly align?: 'left' | 'right' | 'center';
  readonly weight?: number;
  /** Reads from bottom to top. */
  readonly upwards?: boolean;
}

export interface StrokeStyle {
  readonly stroke: string;
  readonly width: number;
  readonly opacity?: number;
  readonly curved?: boolean;
}

/** Something to draw, and its size. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly background: string;
  readonly draw: (surface: Surface) => void;
}
