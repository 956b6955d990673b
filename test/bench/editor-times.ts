/** What is measured inside the extension host, in milliseconds. */
export interface EditorTimes {
  /** From asking for the extension to having what its `activate` returned. */
  readonly activation: number;
  /** The same of an extension that does nothing, in the same start of the editor. */
  readonly emptyActivation: number;
  /** Of each time that the highlights were switched on; the first one starts the tokenizer. */
  readonly firstPaint: readonly number[];
}

/** Begins the line that carries the figures out of the extension host. */
export const BENCH_MARK = 'headlight-bench ';

/** Which of the two extensions is activated first: the first one pays for what the editor does at its first time. */
export const ORDER_VARIABLE = 'HEADLIGHT_BENCH_EMPTY_FIRST';
