import { useMemo } from 'preact/hooks';
import type { HeadMatrix, Trace } from '../../src/protocol/trace';
import { useSelected } from '../panel-context';
import { type StepScale, WEIGHT_SCALE } from '../render/step-scale';
import { tokenLabel } from '../render/visible-text';
import { answerFor, type HeadsShown, sameHead, shownHead } from '../state';
import { useLast } from './use-last';

/** A matrix together with the passage that it belongs to. */
export interface ShownMatrix {
  readonly trace: Trace;
  readonly matrix: HeadMatrix;
  /** What names each token on the axes. */
  readonly labels: readonly string[];
  /** What names the units that tokens are merged to, by their first token; null where they are not. */
  readonly unitLabels: ReadonlyMap<number, string> | null;
  /** Whose weights these are. */
  readonly heads: HeadsShown;
  /** True while another head, window or passage is on its way. */
  readonly stale: boolean;
  /** What the matrix's numbers are. */
  readonly scale: StepScale;
}

/** The newest matrix there is: of the previous head or passage until the next has come. */
export function useShownMatrix(trace: Trace): ShownMatrix | null {
  const head = useSelected(shownHead);
  const answer = useSelected((state) => state.matrix);
  const matrix = answerFor(answer, trace);
  const current = useMemo(() => (matrix === null ? null : { trace, matrix }), [trace, matrix]);
  const shown = useLast(current);
  const labels = useMemo(() => (shown?.trace.tokens ?? []).map(tokenLabel), [shown?.trace]);
  return shown === null
    ? null
    : {
        ...shown,
        labels,
        unitLabels: null,
        heads: 'one',
        scale: WEIGHT_SCALE,
        stale: current === null || !sameHead(shown.matrix, head),
      };
}
