import type { ModelSummary } from '../protocol/model';
import type { CandidateList, TokenReading, Trace } from '../protocol/trace';

/** What `--json` prints; the names and units are those of the protocol's types. */
export interface JsonReport {
  readonly model: Omit<ModelSummary, 'directory' | 'parameters'>;
  readonly device: string;
  readonly tokens: readonly TokenReading[];
  readonly candidates: readonly {
    readonly id: number;
    readonly text: string;
    readonly probability: number;
    readonly samplerProbability: number;
    readonly rank: number;
  }[];
  readonly perplexity: number | null;
  /** Wall-clock milliseconds. */
  readonly timing: { readonly loadMs: number; readonly tokenizeMs: number; readonly forwardMs: number };
}

/** Picks each field by name, so that what is added to the protocol does not slip into what programs read. */
export function jsonReport(trace: Trace, { candidates }: CandidateList, loadMs: number): JsonReport {
  const { name, architecture, layers, heads, kvHeads, headDim, hiddenSize, vocabSize, contextLength } = trace.model;
  return {
    model: { name, architecture, layers, heads, kvHeads, headDim, hiddenSize, vocabSize, contextLength },
    device: trace.device.device,
    tokens: trace.tokens.map(
      ({ index, id, text, bytes, start, end, probability, rank, surprisal, entropy, added }) => ({
        ...{ index, id, text, bytes, start, end },
        ...(added ? { added } : {}),
        ...{ probability, rank, surprisal, entropy },
      }),
    ),
    candidates: candidates.map(({ id, text, probability, samplerProbability, rank }) => ({
      ...{ id, text, probability, samplerProbability, rank },
    })),
    perplexity: trace.perplexity,
    timing: { loadMs, tokenizeMs: trace.timing.tokenizeMs, forwardMs: trace.timing.forwardMs },
  };
}
