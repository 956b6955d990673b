import { useEffect, useRef, useState } from 'preact/hooks';
import { CancellationTokenSource } from 'vscode-jsonrpc';
import { ContinuationRequest, type GeneratedToken } from '../src/protocol/continuation';
import { HeadlightError } from '../src/protocol/errors';
import type { Trace } from '../src/protocol/trace';
import { usePanel, useSelected } from './panel-context';

/** What a passage has grown by. */
export interface Growth {
  readonly steps: readonly GeneratedToken[];
  /** Whether the last token is one that ends a text. */
  readonly hasEnded: boolean;
  /** Bytes of one token's keys and values; 0 where the graph keeps none. */
  readonly cacheBytesPerToken: number;
  readonly failure: HeadlightError | null;
}

export interface GrowthControls extends Growth {
  readonly isRunning: boolean;
  /** Writes so many tokens more, unless it is stopped or the text ends. */
  readonly grow: (count: number) => Promise<void>;
  readonly stop: () => void;
  readonly startOver: () => void;
}

const NOTHING: Growth = { steps: [], hasEnded: false, cacheBytesPerToken: 0, failure: null };
/** For draws where the user set no seed. */
export const FIRST_SEED = 1;
/** Runners-up of each step. */
const CANDIDATES = 4;

/** Writes on behind a passage, a token at a time, with the sampler as it is set; stops where the view is not open. */
export function useGrowth(trace: Trace, isOpen: boolean): GrowthControls {
  const { engine, store } = usePanel();
  const isReady = useSelected((state) => state.snapshot?.status.kind === 'ready');
  const [grown, setGrown] = useState<Growth & { readonly traceId: number }>({ ...NOTHING, traceId: trace.id });
  const [isRunning, setRunning] = useState(false);
  const run = useRef<CancellationTokenSource | null>(null);
  const current: Growth = grown.traceId === trace.id ? grown : NOTHING;
  const stop = () => {
    run.current?.cancel();
    run.current = null;
    setRunning(false);
  };
  // Another passage, or a closed section, needs no more tokens.
  useEffect(() => stop, [trace.id, isOpen, isReady]);
  const grow = async (count: number) => {
    stop();
    const source = new CancellationTokenSource();
    run.current = source;
    setRunning(true);
    let growth: Growth = { ...current, failure: null };
    for (let more = count; more > 0 && !growth.hasEnded && growth.failure === null; more--) {
      const { sampler, view } = store.state;
      const params = {
        traceId: trace.id,
        keep: trace.tokens.length,
        behind: growth.steps.map(({ id }) => id),
        count: 1,
        untilLineEnd: false,
        sampler,
        seed: view.seed ?? FIRST_SEED,
        limit: CANDIDATES,
        withinMs: null,
      };
      try {
        const { tokens, ended, cacheBytesPerToken } = await engine.sendRequest(
          ContinuationRequest,
          params,
          source.token,
        );
        growth = {
          steps: [...growth.steps, ...tokens],
          hasEnded: ended === 'end-token',
          cacheBytesPerToken,
          failure: null,
        };
      } catch (thrown) {
        growth = { ...growth, failure: HeadlightError.from(thrown) };
      }
      if (run.current !== source) {
        return;
      }
      setGrown({ ...growth, traceId: trace.id });
    }
    stop();
  };
  const startOver = () => {
    stop();
    setGrown({ ...NOTHING, traceId: trace.id });
  };
  return { ...current, isRunning, grow, stop, startOver };
}

/** The text of generated tokens; their bytes together may be characters that none has alone. An end token is no text. */
export function grownText({ steps, hasEnded }: Growth): string {
  const written = hasEnded ? steps.slice(0, -1) : steps;
  return new TextDecoder().decode(Uint8Array.from(written.flatMap(({ bytes }) => bytes)));
}
