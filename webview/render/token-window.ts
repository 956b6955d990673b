import type { TokenRange } from '../../src/protocol/trace';

/** The part of the T × T matrix that is shown. */
export interface MatrixWindow {
  readonly queries: TokenRange;
  readonly keys: TokenRange;
}

/** A window never gets smaller than this: below it there is nothing left to compare. */
export const SMALLEST_WINDOW = 8;

/** All queries against all keys. */
export function wholeWindow(tokens: number): MatrixWindow {
  return { queries: { from: 0, to: tokens }, keys: { from: 0, to: tokens } };
}

/** How many tokens a range has. */
export function lengthOf(range: TokenRange): number {
  return range.to - range.from;
}

/** Whether a token lies in a range. */
export function contains(range: TokenRange, token: number): boolean {
  return token >= range.from && token < range.to;
}

/** Whether a window leaves nothing out. */
export function isWhole(window: MatrixWindow, tokens: number): boolean {
  return lengthOf(window.queries) >= tokens && lengthOf(window.keys) >= tokens;
}

/** A window made to fit into the passage and not smaller than allowed. */
export function fitWindow(window: MatrixWindow, tokens: number): MatrixWindow {
  return { queries: fitRange(window.queries, tokens), keys: fitRange(window.keys, tokens) };
}

function fitRange(range: TokenRange, tokens: number): TokenRange {
  const length = Math.min(tokens, Math.max(SMALLEST_WINDOW, Math.round(lengthOf(range))));
  const middle = (range.from + range.to) / 2;
  const from = Math.min(tokens - length, Math.max(0, Math.round(middle - length / 2)));
  return { from, to: from + length };
}

/** Shows `factor` times as many tokens on both axes and keeps the given cell under the pointer. */
export function zoomWindow(
  window: MatrixWindow,
  factor: number,
  around: { readonly query: number; readonly key: number },
  tokens: number,
): MatrixWindow {
  return {
    queries: zoomRange(window.queries, factor, around.query, tokens),
    keys: zoomRange(window.keys, factor, around.key, tokens),
  };
}

function zoomRange(range: TokenRange, factor: number, around: number, tokens: number): TokenRange {
  const scaled = lengthOf(range) * factor;
  // Rounding must not swallow a step.
  const length = Math.min(tokens, Math.max(SMALLEST_WINDOW, factor < 1 ? Math.floor(scaled) : Math.ceil(scaled)));
  const place = lengthOf(range) === 0 ? 0.5 : (around + 0.5 - range.from) / lengthOf(range);
  const from = Math.min(tokens - length, Math.max(0, Math.round(around + 0.5 - place * length)));
  return { from, to: from + length };
}

/** Moves the window by as little as it takes to show the cell. */
export function revealCell(window: MatrixWindow, query: number, key: number): MatrixWindow {
  return { queries: revealToken(window.queries, query), keys: revealToken(window.keys, key) };
}

function revealToken(range: TokenRange, token: number): TokenRange {
  const shift = token < range.from ? token - range.from : token >= range.to ? token - range.to + 1 : 0;
  return shift === 0 ? range : { from: range.from + shift, to: range.to + shift };
}
