import { useLayoutEffect, useState } from 'preact/hooks';
import { CancellationTokenSource, type RequestType } from 'vscode-jsonrpc';
import type { OfTrace } from '../src/protocol/engine';
import { HeadlightError } from '../src/protocol/errors';
import { usePanel, useSelected } from './panel-context';

/** What the engine answered to a stage's question. */
export interface Answer<R> {
  /** The newest answer about the trace asked about; null until there is one. */
  readonly value: R | null;
  /** True while a newer one is on its way. */
  readonly stale: boolean;
  readonly failure: HeadlightError | null;
}

interface Settled<R> {
  readonly key: string;
  readonly traceId: number;
  readonly value: R | null;
  readonly failure: HeadlightError | null;
}

/**
 * Asks the engine as long as the view is drawn, again whenever the question changes. A question that was superseded is
 * cancelled.
 *
 * @param params null asks nothing
 */
export function useAnswer<P extends OfTrace, R>(type: RequestType<P, R, unknown>, params: P | null): Answer<R> {
  const { engine, questions } = usePanel();
  // While a new trace is made the engine answers nothing, and what was shown stays.
  const ready = useSelected((state) => state.snapshot?.status.kind === 'ready');
  const [settled, setSettled] = useState<Settled<R> | null>(null);
  const key = JSON.stringify(params);
  useLayoutEffect(() => {
    if (!ready || params === null) {
      return;
    }
    const { traceId } = params;
    const cancel = new CancellationTokenSource();
    let superseded = false;
    questions.postponeAhead();
    engine.sendRequest(type, params, cancel.token).then(
      (value) => {
        if (!superseded) {
          setSettled({ key, traceId, value, failure: null });
        }
      },
      (thrown) => {
        const failure = HeadlightError.from(thrown);
        if (!superseded && failure.code !== 'cancelled') {
          setSettled({ key, traceId, value: null, failure });
        }
      },
    );
    return () => {
      superseded = true;
      cancel.cancel();
    };
  }, [engine, questions, type, key, ready]);
  const mine = settled !== null && settled.traceId === params?.traceId ? settled : null;
  return { value: mine?.value ?? null, stale: mine?.key !== key, failure: mine?.failure ?? null };
}
