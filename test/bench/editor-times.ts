/** What is measured inside the extension host, in milliseconds. */
export interface EditorTimes {
  readonly activation: number;
  /** Of each time that the highlights were switched on; the first one starts the tokenizer. */
  readonly firstPaint: readonly number[];
}

/** Begins the line that carries the figures out of the extension host. */
export const BENCH_MARK = 'headlight-bench ';
