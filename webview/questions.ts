import { CancellationTokenSource, type RequestType } from 'vscode-jsonrpc';
import { CandidatesRequest, HeadMatrixRequest, HeadOverviewRequest } from '../src/protocol/engine';
import { HeadlightError } from '../src/protocol/errors';
import type { Trace } from '../src/protocol/trace';
import { isWhole, lengthOf } from './render/token-window';
import {
  answerFor,
  focusedQuery,
  matrixWindow,
  type PanelState,
  type PanelStore,
  pinnedToken,
  type Question,
  rowOfQuery,
  sameHead,
  shownHead,
  traceOf,
} from './state';

/** The part of a JSON-RPC connection that is needed here. */
export interface RequestSender {
  sendRequest<P, R>(type: RequestType<P, R, unknown>, params: P, token: CancellationTokenSource['token']): Promise<R>;
}

/** Side of a thumbnail in cells. */
const THUMBNAIL_RESOLUTION = 48;
/** Candidates that are listed where the sampler keeps fewer. */
const CANDIDATES_LISTED = 18;
/** Rows of single queries that are kept for the token tints and the list of keys. */
const ROWS_KEPT = 32;

/**
 * Asks the engine for what the panel shows, whenever what it shows changes. A question that was superseded is
 * cancelled, and its answer dropped.
 */
export class Questions {
  readonly #asked = new Map<Question, { key: string; cancel: CancellationTokenSource }>();
  #frame = 0;

  constructor(
    private readonly store: PanelStore,
    private readonly sender: RequestSender,
  ) {
    store.subscribe(() => this.#review());
  }

  /** Asks again what failed, after the engine came back. */
  retry(): void {
    for (const question of this.#asked.keys()) {
      this.#withdraw(question);
    }
    this.store.update({ failures: {} });
  }

  #review(): void {
    const { state } = this.store;
    const status = state.snapshot?.status;
    // While a new trace is made the engine answers nothing, and what was shown stays.
    if (status?.kind === 'working') {
      return;
    }
    const trace = traceOf(state);
    if (trace === null) {
      for (const question of [...this.#asked.keys()]) {
        this.#withdraw(question);
      }
      return;
    }
    if (trace.attention.available) {
      this.#askOverview(trace);
      this.#askMatrix(state, trace);
      this.#askRows(state, trace);
    }
    // The sliders move more often than frames are drawn.
    if (this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#askCandidates();
      });
    }
  }

  #askOverview(trace: Trace): void {
    const params = { traceId: trace.id, resolution: THUMBNAIL_RESOLUTION };
    this.#ask('overview', HeadOverviewRequest, params, (value) => this.store.takeOverview(trace, value));
  }

  #askMatrix(state: PanelState, trace: Trace): void {
    const head = shownHead(state);
    const window = matrixWindow(state);
    if (head === null || window === null || state.resolution === 0 || state.view.collapsed.includes('attention')) {
      return;
    }
    // A window that fits has one answer at every resolution: no new question when the panel gets wider.
    const longest = Math.max(lengthOf(window.queries), lengthOf(window.keys));
    const params = { traceId: trace.id, ...head, ...window, resolution: Math.min(longest, state.resolution) };
    this.#ask('matrix', HeadMatrixRequest, params, (value) =>
      this.store.update({ matrix: { traceId: trace.id, value } }),
    );
  }

  /** The rows of the pinned token, for the tints, and of the focused one, for the list; often the matrix has them. */
  #askRows(state: PanelState, trace: Trace): void {
    const head = shownHead(state);
    const pinned = state.view.colour === 'attention' ? pinnedToken(state) : null;
    const query = [pinned, focusedQuery(state)].find((wanted) => wanted !== null && rowOfQuery(state, wanted) === null);
    if (head === null || query === undefined || query === null || this.#matrixIsComing(state, trace)) {
      return;
    }
    const params = {
      traceId: trace.id,
      ...head,
      queries: { from: query, to: query + 1 },
      keys: { from: 0, to: trace.tokens.length },
      resolution: trace.tokens.length,
    };
    this.#ask('rows', HeadMatrixRequest, params, ({ weights }) => {
      const kept = answerFor(this.store.state.rows, trace) ?? [];
      const value = [{ ...head, query, weights }, ...kept].slice(0, ROWS_KEPT);
      this.store.update({ rows: { traceId: trace.id, value } });
    });
  }

  /** Whether the whole matrix is on its way, one token a cell: then its rows come with it. */
  #matrixIsComing(state: PanelState, trace: Trace): boolean {
    if (state.view.collapsed.includes('attention')) {
      return false;
    }
    if (state.resolution === 0) {
      return true;
    }
    const window = matrixWindow(state);
    const bringsRows =
      window !== null && isWhole(window, trace.tokens.length) && state.resolution >= trace.tokens.length;
    return bringsRows && !sameHead(answerFor(state.matrix, trace), shownHead(state));
  }

  #askCandidates(): void {
    const { state } = this.store;
    const trace = traceOf(state);
    if (trace === null || state.snapshot?.status.kind !== 'ready') {
      return;
    }
    const params = {
      traceId: trace.id,
      sampler: state.sampler,
      limit: CANDIDATES_LISTED,
      seed: state.view.seed,
    };
    this.#ask('candidates', CandidatesRequest, params, (value) =>
      this.store.update({ candidates: { traceId: trace.id, value } }),
    );
  }

  #ask<P, R>(question: Question, type: RequestType<P, R, unknown>, params: P, answered: (answer: R) => void): void {
    const key = JSON.stringify(params);
    if (this.#asked.get(question)?.key === key) {
      return;
    }
    this.#withdraw(question);
    const cancel = new CancellationTokenSource();
    const asked = { key, cancel };
    this.#asked.set(question, asked);
    const isLatest = () => this.#asked.get(question) === asked;
    this.sender.sendRequest(type, params, cancel.token).then(
      (answer) => {
        if (isLatest()) {
          this.#setFailure(question, null);
          answered(answer);
        }
      },
      (thrown) => {
        const error = HeadlightError.from(thrown);
        if (isLatest() && error.code === 'cancelled') {
          // Not by us: the next change of the state asks again.
          this.#asked.delete(question);
        } else if (isLatest()) {
          this.#setFailure(question, error);
        }
      },
    );
  }

  #setFailure(question: Question, error: HeadlightError | null): void {
    const { [question]: before, ...others } = this.store.state.failures;
    if (error !== null) {
      this.store.update({ failures: { ...others, [question]: error } });
    } else if (before !== undefined) {
      this.store.update({ failures: others });
    }
  }

  #withdraw(question: Question): void {
    this.#asked.get(question)?.cancel.cancel();
    this.#asked.delete(question);
  }
}
