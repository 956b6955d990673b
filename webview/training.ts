import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { CancellationTokenSource } from 'vscode-jsonrpc';
import { HeadlightError } from '../src/protocol/errors';
import type { Trace } from '../src/protocol/trace';
import { TrainingRequest, type TrainingView, withWindow } from '../src/protocol/training';
import { usePanel, useSelected } from './panel-context';

export interface TrainingControls {
  /** What was read so far; null where nothing was. */
  readonly view: TrainingView | null;
  /** True while the view is that of another stride, until the first window is there. */
  readonly stale: boolean;
  readonly failure: HeadlightError | null;
  readonly isRunning: boolean;
  /** Reads what is left, unless it is stopped. */
  readonly readOn: () => void;
  readonly stop: () => void;
}

interface Reading {
  readonly traceId: number;
  readonly view: TrainingView | null;
  readonly failure: HeadlightError | null;
}

const NOTHING = { view: null, failure: null };
/** Windows of a long text that are read without being asked for: a few seconds' work. */
const FIRST_WINDOWS = 8;

/** Reads a passage as training data while the view is open, window after window. */
export function useTraining(trace: Trace, stride: number, isOpen: boolean): TrainingControls {
  const { engine, questions, store } = usePanel();
  const isReady = useSelected((state) => state.snapshot?.status.kind === 'ready');
  const [read, setRead] = useState<Reading>({ traceId: trace.id, ...NOTHING });
  const [isRunning, setRunning] = useState(false);
  const run = useRef<CancellationTokenSource | null>(null);
  const { view, failure } = read.traceId === trace.id ? read : NOTHING;
  const stale = view !== null && view.stride !== stride;
  const stop = () => {
    run.current?.cancel();
    run.current = null;
    setRunning(false);
  };
  const readUpTo = async (most: number) => {
    stop();
    const source = new CancellationTokenSource();
    run.current = source;
    setRunning(true);
    let known = stale ? null : view;
    let failed: HeadlightError | null = null;
    while (failed === null && (known === null || known.windowsRead < Math.min(most, known.windows))) {
      const params = { traceId: trace.id, stride, window: known?.windowsRead ?? 0 };
      questions.postponeAhead();
      try {
        known = withWindow(known, await engine.sendRequest(TrainingRequest, params, source.token));
      } catch (thrown) {
        failed = HeadlightError.from(thrown);
      }
      if (run.current !== source) {
        return;
      }
      setRead({ traceId: trace.id, view: known ?? view, failure: failed });
    }
    stop();
    if (failed === null && known !== null && known.windows > 1 && known.windowsRead === known.windows) {
      store.announce('The whole text is read.');
    }
  };
  // Another passage, another stride, or a closed section, needs no more windows of this one.
  useLayoutEffect(() => {
    if (isOpen && isReady) {
      void readUpTo(FIRST_WINDOWS);
    }
    return stop;
  }, [trace.id, stride, isOpen, isReady]);
  return { view, stale, failure, isRunning, readOn: () => void readUpTo(Number.POSITIVE_INFINITY), stop };
}
