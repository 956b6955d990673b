import { useMemo } from 'preact/hooks';
import type { HeadlightError } from '../../src/protocol/errors';
import { HeadStepRequest } from '../../src/protocol/stages';
import { useAnswer } from '../answers';
import { useSelected } from '../panel-context';
import { stepScale } from '../render/step-scale';
import { lengthOf } from '../render/token-window';
import type { ShownMatrix } from './shown-matrix';

/** The chosen step of the head and window that are shown. */
export function useShownStep(weights: ShownMatrix | null): {
  readonly shown: ShownMatrix | null;
  readonly failure: HeadlightError | null;
} {
  const step = useSelected((state) => state.view.step);
  const resolution = useSelected((state) => state.resolution);
  const asked = weights !== null && step !== 'weights';
  const { value, stale, failure } = useAnswer(
    HeadStepRequest,
    asked
      ? {
          traceId: weights.trace.id,
          layer: weights.matrix.layer,
          head: weights.matrix.head,
          queries: weights.matrix.queries,
          keys: weights.matrix.keys,
          resolution: Math.min(resolution, Math.max(lengthOf(weights.matrix.queries), lengthOf(weights.matrix.keys))),
          step,
        }
      : null,
  );
  const scale = useMemo(() => (value === null ? null : stepScale(value)), [value]);
  if (!asked || failure !== null) {
    return { shown: weights, failure };
  }
  // The step before stays until the next has come.
  return {
    shown:
      value === null || scale === null
        ? { ...weights, stale: true }
        : { ...weights, matrix: value, scale, stale: weights.stale || stale },
    failure: null,
  };
}
