import { useLayoutEffect, useState } from 'preact/hooks';
import type { HeadlightError } from '../src/protocol/errors';
import { type LensCell, LensRequest, type LogitLens } from '../src/protocol/stages';
import type { TokenRange, Trace } from '../src/protocol/trace';
import { useAnswer } from './answers';
import { contains } from './render/token-window';

/** Candidates of a cell. */
const CANDIDATES = 5;
/** So many positions are asked for at a time: what a large model takes long to read appears bit by bit. */
const AT_ONCE = 3;

/** What the lens has read so far: of each position the cells from the embeddings up. */
export type LensColumns = ReadonlyMap<number, readonly LensCell[]>;

const NOTHING: LensColumns = new Map();

/**
 * Reads a window of positions through the logit lens while the view is open, a few at a time: first those about `pinned`,
 * then from the end. What was read of the passage stays, so that a window that comes back is there at once.
 */
export function useLens(
  trace: Trace,
  positions: TokenRange,
  pinned: number,
  isOpen: boolean,
): { readonly columns: LensColumns; readonly failure: HeadlightError | null } {
  const [read, setRead] = useState({ traceId: trace.id, columns: NOTHING });
  const columns = read.traceId === trace.id ? read.columns : NOTHING;
  const next = isOpen ? nextToRead(positions, pinned, columns) : null;
  const { value, failure } = useAnswer(
    LensRequest,
    next === null ? null : { traceId: trace.id, positions: next, limit: CANDIDATES },
  );
  useLayoutEffect(() => {
    if (value !== null) {
      setRead({ traceId: trace.id, columns: withColumns(columns, value) });
    }
  }, [value]);
  return { columns, failure };
}

/** The window as one answer; null until all of it was read. */
export function wholeLens(positions: TokenRange, columns: LensColumns): LogitLens | null {
  const window: (readonly LensCell[])[] = [];
  for (let position = positions.from; position < positions.to; position++) {
    const column = columns.get(position);
    if (column === undefined) {
      return null;
    }
    window.push(column);
  }
  return window.length === 0
    ? null
    : { positions, rows: window[0].map((_, depth) => window.map((column) => column[depth])) };
}

/** The part of a window that should be read next; null where all of it was. */
export function nextToRead({ from, to }: TokenRange, pinned: number, columns: LensColumns): TokenRange | null {
  const parts: TokenRange[] = [];
  for (let end = to; end > from; end -= AT_ONCE) {
    parts.push({ from: Math.max(from, end - AT_ONCE), to: end });
  }
  const missing = parts.filter((part) => range(part).some((position) => !columns.has(position)));
  return missing.find((part) => contains(part, pinned)) ?? missing[0] ?? null;
}

function withColumns(columns: LensColumns, { positions, rows }: LogitLens): LensColumns {
  const added = range(positions).map((position, at) => [position, rows.map((cells) => cells[at])] as const);
  return new Map([...columns, ...added]);
}

function range({ from, to }: TokenRange): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}
