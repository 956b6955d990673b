import type { Token } from '../../src/protocol/tokens';
import { type VisibleRun, visibleRuns } from './visible-text';

/** A token, or the part of one that stands on a line. */
export interface TokenPiece {
  readonly kind: 'token';
  readonly index: number;
  readonly runs: readonly VisibleRun[];
  /** Whether the token begins, ends here: pieces of one token are open towards each other. */
  readonly opens: boolean;
  readonly closes: boolean;
  /** True for a piece that is nothing but a line break: it never stands alone on a row. */
  readonly onlyBreak: boolean;
  /** True for a token that the model's configuration puts before the text. */
  readonly added?: boolean;
  /** True for a token that stands for something else than text. */
  readonly special?: boolean;
}

/** Several tokens that share one character: one glyph over as many bands. */
export interface SharedPiece {
  readonly kind: 'shared';
  readonly bands: readonly Band[];
  readonly runs: readonly VisibleRun[];
}

/** One token's part of a glyph. */
export interface Band {
  readonly index: number;
  /** Part of the glyph's width, 0–1: a token's own characters and its share of those it has in common. */
  readonly share: number;
}

/** What a line is made of. */
export type Piece = TokenPiece | SharedPiece;

/** One line of the document. */
export interface TokenLine {
  readonly number: number;
  readonly pieces: readonly Piece[];
}

/** More tokens than this are never merged over one grapheme: a thousand combining accents stay a thousand pieces. */
const MOST_BANDS_BY_GRAPHEME = 16;

/**
 * The passage as lines of pieces, whitespace and line breaks kept.
 * @param text The text that the tokens' offsets count in.
 * @param firstLine Number of the text's first line.
 */
export function layOutTokens(text: string, tokens: readonly Token[], firstLine: number): TokenLine[] {
  const from = tokens.length === 0 ? 0 : tokens[0].start;
  const isBoundary = graphemeBoundaries(text, tokens);
  let pieces: Piece[] = [];
  let number = firstLine + countBreaks(text, 0, from);
  const lines: TokenLine[] = [];
  const breakLine = () => {
    lines.push({ number, pieces });
    pieces = [];
    number++;
  };

  let at = 0;
  while (at < tokens.length) {
    const end = clusterEnd(tokens, at, isBoundary);
    if (end - at > 1) {
      const cluster = tokens.slice(at, end);
      const last = Math.max(...cluster.map((token) => token.end));
      pieces.push(sharedPiece(text, cluster, last));
      for (let k = countBreaks(text, cluster[0].start, last); k > 0; k--) {
        breakLine();
      }
    } else {
      pushToken(tokens[at]);
    }
    at = end;
  }
  lines.push({ number, pieces });
  return lines;

  function pushToken(token: Token): void {
    if (token.start === token.end) {
      // A token that stands for no text, such as a model's own start sign.
      const runs = [{ text: token.text, sign: true }];
      const added = token.added ? { added: true } : {};
      pieces.push({ kind: 'token', index: token.index, runs, opens: true, closes: true, onlyBreak: false, ...added });
      return;
    }
    let start = token.start;
    while (start < token.end) {
      const stop = endOfLine(text, start, token.end);
      const breaks = isBreakBefore(text, stop);
      const shown = text.slice(start, stop);
      pieces.push({
        kind: 'token',
        index: token.index,
        runs: visibleRuns(shown),
        opens: start === token.start,
        closes: stop === token.end,
        onlyBreak: /^[\r\n]+$/.test(shown),
        ...(token.special ? { special: true } : {}),
      });
      if (breaks) {
        breakLine();
      }
      start = stop;
    }
  }
}

/** First index after the tokens that are drawn as one piece with `tokens[at]`. */
function clusterEnd(tokens: readonly Token[], at: number, isBoundary: (offset: number) => boolean): number {
  let end = at + 1;
  let reach = tokens[at].end;
  while (end < tokens.length) {
    const { start } = tokens[end];
    const shares = start < reach;
    const splitsGrapheme = !isBoundary(start) && end - at < MOST_BANDS_BY_GRAPHEME && tokens[end].end > start;
    if (!shares && !splitsGrapheme) {
      break;
    }
    reach = Math.max(reach, tokens[end].end);
    end++;
  }
  return end;
}

function sharedPiece(text: string, cluster: readonly Token[], end: number): SharedPiece {
  const widths = new Array<number>(cluster.length).fill(0);
  let total = 0;
  let offset = cluster[0].start;
  while (offset < end) {
    const codePoint = text.codePointAt(offset)!;
    const next = offset + (codePoint > 0xffff ? 2 : 1);
    const width = columns(codePoint);
    const holders = cluster.flatMap((token, k) => (token.start < next && token.end > offset ? [k] : []));
    for (const k of holders) {
      widths[k] += width / holders.length;
    }
    total += width;
    offset = next;
  }
  return {
    kind: 'shared',
    bands: cluster.map((token, k) => ({
      index: token.index,
      share: total === 0 ? 1 / cluster.length : widths[k] / total,
    })),
    runs: visibleRuns(text.slice(cluster[0].start, end)),
  };
}

/** Columns that a character takes in a monospaced font, near enough to place bands. */
function columns(codePoint: number): number {
  const wide =
    (codePoint >= 0x1100 && codePoint <= 0x115f) ||
    (codePoint >= 0x2e80 && codePoint <= 0xa4cf) ||
    (codePoint >= 0xac00 && codePoint <= 0xd7a3) ||
    (codePoint >= 0xf900 && codePoint <= 0xfaff) ||
    (codePoint >= 0xfe30 && codePoint <= 0xfe6f) ||
    (codePoint >= 0xff00 && codePoint <= 0xff60) ||
    codePoint >= 0x1f000;
  return wide ? 2 : 1;
}

/** Whether a text offset stands between two graphemes. Carriage return and line feed count as two. */
function graphemeBoundaries(text: string, tokens: readonly Token[]): (offset: number) => boolean {
  const last = tokens.at(-1);
  if (last === undefined || /^[\0-\x7f]*$/.test(text)) {
    return () => true;
  }
  const from = tokens[0].start;
  const inside = new Set<number>();
  for (const { index, segment } of new Intl.Segmenter().segment(text.slice(from, last.end))) {
    if (segment.length > 1 && segment !== '\r\n') {
      for (let k = 1; k < segment.length; k++) {
        inside.add(from + index + k);
      }
    }
  }
  return (offset) => !inside.has(offset);
}

/** The offset just after the next line break, or `end` where there is none before it. */
function endOfLine(text: string, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    if (isBreakBefore(text, at + 1)) {
      return at + 1;
    }
  }
  return end;
}

/** Whether a line ends just before `offset`: after \n, and after \r where no \n follows. */
function isBreakBefore(text: string, offset: number): boolean {
  const before = text.charCodeAt(offset - 1);
  return before === 0x0a || (before === 0x0d && text.charCodeAt(offset) !== 0x0a);
}

function countBreaks(text: string, from: number, to: number): number {
  let count = 0;
  for (let offset = from + 1; offset <= to; offset++) {
    count += isBreakBefore(text, offset) ? 1 : 0;
  }
  return count;
}
