import { useMemo, useRef } from 'preact/hooks';
import type { HeadMatrix, Trace } from '../../src/protocol/trace';
import { useSelected } from '../panel-context';
import { tokenLabel } from '../render/visible-text';
import { answerFor, sameHead, shownHead } from '../state';

/** A matrix together with the passage that it belongs to. */
export interface ShownMatrix {
  readonly trace: Trace;
  readonly matrix: HeadMatrix;
  /** What names each token on the axes. */
  readonly labels: readonly string[];
  /** True while another head, window or passage is on its way. */
  readonly stale: boolean;
}

/** The newest matrix there is. The last one stays until the next has come, so that nothing flickers. */
export function useShownMatrix(trace: Trace): ShownMatrix | null {
  const head = useSelected(shownHead);
  const answer = useSelected((state) => state.matrix);
  const last = useRef<{ trace: Trace; matrix: HeadMatrix } | null>(null);
  const matrix = answerFor(answer, trace);
  if (matrix !== null) {
    last.current = { trace, matrix };
  }
  const shown = last.current;
  const labels = useMemo(() => (shown?.trace.tokens ?? []).map(tokenLabel), [shown?.trace]);
  return shown === null ? null : { ...shown, labels, stale: matrix === null || !sameHead(shown.matrix, head) };
}
