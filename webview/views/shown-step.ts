import { useMemo } from 'preact/hooks';
import type { HeadlightError } from '../../src/protocol/errors';
import { CombinedHeadsRequest } from '../../src/protocol/heads';
import { SymbolsRequest } from '../../src/protocol/panel';
import { HeadStepRequest } from '../../src/protocol/stages';
import type { HeadMatrix, Trace } from '../../src/protocol/trace';
import { useAnswer } from '../answers';
import { useSelected } from '../panel-context';
import { combinedScale, type StepScale, stepScale } from '../render/step-scale';
import { lineUnits, symbolUnits, type TokenUnits, wordUnits } from '../render/token-units';
import { lengthOf } from '../render/token-window';
import type { Display } from '../state';
import type { ShownMatrix } from './shown-matrix';

export interface ShownStep {
  readonly shown: ShownMatrix | null;
  readonly failure: HeadlightError | null;
  /** True where units were asked for that the document has none of. */
  readonly withoutSymbols: boolean;
}

/**
 * What the matrix shows instead of one head's weights token by token: another step of it, heads taken together, or tokens
 * merged. Of the head and the window that are shown.
 */
export function useShownStep(weights: ShownMatrix | null, trace: Trace, display: Display): ShownStep {
  // Lines are drawn of shares only.
  const step = useSelected(({ view }) => (view.heads === 'one' && display === 'matrix' ? view.step : 'weights'));
  const heads = useSelected((state) => state.view.heads);
  const resolution = useSelected((state) => state.resolution);
  const { units, pending, failure: ofSymbols, withoutSymbols } = useUnits(trace);
  // Units are of this trace; until its matrix has come there is nothing to merge.
  const merged = weights?.trace.id === trace.id ? units : null;
  const asked = weights !== null && !pending && (step !== 'weights' || heads !== 'one' || merged !== null);
  const params = asked
    ? {
        traceId: weights.trace.id,
        layer: weights.matrix.layer,
        head: weights.matrix.head,
        queries: weights.matrix.queries,
        keys: weights.matrix.keys,
        resolution: Math.min(resolution, Math.max(lengthOf(weights.matrix.queries), lengthOf(weights.matrix.keys))),
        units: merged?.starts ?? null,
      }
    : null;
  const ofStep = useAnswer(HeadStepRequest, params !== null && heads === 'one' ? { ...params, step } : null);
  const ofHeads = useAnswer(
    CombinedHeadsRequest,
    params !== null && heads !== 'one' ? { ...params, combination: heads } : null,
  );
  const { value, stale, failure }: { value: HeadMatrix | null; stale: boolean; failure: HeadlightError | null } =
    heads === 'one' ? ofStep : ofHeads;
  const scale = useMemo<StepScale | null>(
    () => (value === null ? null : heads === 'one' ? stepScale(value) : combinedScale(heads)),
    [value, heads],
  );
  if (!asked || failure !== null) {
    return { shown: weights, failure: failure ?? ofSymbols, withoutSymbols };
  }
  // What was shown before stays until the next has come.
  return {
    shown:
      value === null || scale === null
        ? { ...weights, stale: true }
        : {
            ...weights,
            matrix: value,
            heads,
            scale,
            unitLabels: value.rowStarts === undefined ? null : (merged?.labels ?? null),
            stale: weights.stale || stale,
          },
    failure: null,
    withoutSymbols,
  };
}

/** The units that tokens are merged to; null where they are not. */
function useUnits(trace: Trace): {
  readonly units: TokenUnits | null;
  readonly pending: boolean;
  readonly failure: HeadlightError | null;
  readonly withoutSymbols: boolean;
} {
  const kind = useSelected((state) => state.view.units);
  const text = useSelected((state) => state.passage?.text ?? '');
  const symbols = useAnswer(SymbolsRequest, kind === 'symbol' ? { traceId: trace.id } : null);
  const found = symbols.value;
  const units = useMemo(() => {
    switch (kind) {
      case 'token':
        return null;
      case 'word':
        return wordUnits(trace.tokens, text);
      case 'line':
        return lineUnits(trace.tokens, text);
      case 'symbol':
        return found === null || found.length === 0 ? null : symbolUnits(trace.tokens, text, found);
    }
  }, [kind, text, trace, found]);
  return {
    units,
    pending: kind === 'symbol' && found === null && symbols.failure === null,
    failure: symbols.failure,
    withoutSymbols: kind === 'symbol' && found?.length === 0,
  };
}
