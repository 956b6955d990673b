import type { Device } from '../../src/protocol/device';

/** One line of a bench's table. */
export interface Measurement {
  /** What was measured, against what. */
  readonly what: string;
  readonly value: number;
  readonly unit: 'ratio' | 'ms' | 'tokens/s' | 'MB';
  /** The value should be at most (or, for what should be high, at least) this; null where nothing was asked for. */
  readonly limit: { readonly atMost: number } | { readonly atLeast: number } | null;
  /** The figures behind a ratio. */
  readonly detail: string;
}

/** What is asked for on the command line. */
export interface BenchOptions {
  /** To be held against the processor; null where none is named. */
  readonly device: Device | null;
  /** Small sizes. */
  readonly short: boolean;
}

/** What every `*.bench.ts` exports. Ratios compare two things within one run, since machines differ and are shared. */
export type Bench = (options: BenchOptions) => Promise<readonly Measurement[]>;

/** Of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Milliseconds that some work takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** After a run a session's threads wait busily for its next one, and would take the processor from another session. */
const BUSY_WAIT_MS = 60;

/** Without what the run before has left in memory: whether a run finds room for its results would depend on which that was. */
async function timedAlone(work: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, BUSY_WAIT_MS));
  return timed(work);
}

/**
 * Does two things in turn, A B A B …, after one turn that does not count, and compares them pair by pair: what slows the
 * machine down slows both of a pair.
 */
export async function compare(
  repetitions: number,
  a: () => Promise<unknown>,
  b: () => Promise<unknown>,
): Promise<{ readonly ratio: number; readonly a: number; readonly b: number }> {
  await a();
  await b();
  const pairs: { a: number; b: number }[] = [];
  for (let i = 0; i < repetitions; i++) {
    pairs.push({ a: await timedAlone(a), b: await timedAlone(b) });
  }
  return {
    ratio: median(pairs.map((pair) => pair.a / pair.b)),
    a: median(pairs.map((pair) => pair.a)),
    b: median(pairs.map((pair) => pair.b)),
  };
}
