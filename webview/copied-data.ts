import { answerFor, type PanelState, selectedHead, traceOf } from './state';

/** What the panel shows, as JSON for other programs; null where nothing is shown. Ranks count from 1. */
export function copiedData(state: PanelState): string | null {
  const trace = traceOf(state);
  if (trace === null || state.snapshot === null) {
    return null;
  }
  const { passage } = state.snapshot;
  const candidates = answerFor(state.candidates, trace);
  const overview = answerFor(state.overview, trace);
  return JSON.stringify(
    {
      model: trace.model,
      device: trace.device,
      passage,
      truncation: trace.truncation,
      tokens: trace.tokens,
      meanSurprisal: trace.meanSurprisal,
      perplexity: trace.perplexity,
      sampler: state.sampler,
      candidates: candidates && {
        kept: candidates.kept,
        vocabSize: candidates.vocabSize,
        cut: candidates.cut,
        listed: candidates.candidates,
        draw: candidates.draw,
      },
      heads: overview && {
        selected: selectedHead(state),
        // One entry a head, layer by layer.
        statistics: Object.fromEntries(
          Object.entries(overview.statistics).map(([name, column]) => [name, Array.from(column)]),
        ),
      },
      timing: trace.timing,
    },
    null,
    2,
  );
}
