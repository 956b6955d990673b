import { CancellationTokenSource, type RequestType } from 'vscode-jsonrpc';
import {
  CandidatesRequest,
  type HeadMatrixParams,
  HeadMatrixRequest,
  HeadOverviewRequest,
} from '../src/protocol/engine';
import { HeadlightError } from '../src/protocol/errors';
import { HeadScoresRequest } from '../src/protocol/heads';
import type { Trace } from '../src/protocol/trace';
import { MatrixMemory } from './matrix-memory';
import { isWhole, lengthOf } from './render/token-window';
import {
  answerFor,
  focusedQuery,
  type HeadRef,
  headsAhead,
  matrixWindow,
  type PanelState,
  type PanelStore,
  pinnedToken,
  type Question,
  rowOfQuery,
  sameHead,
  scoresOfHeads,
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
/** Heads are scored for so long until the panel says how far it is, and something else can be answered. */
const SCORING_PIECE_MS = 100;
/** Nothing is fetched ahead for so long after a passage or a stage was asked for: most of what is shown of it comes then. */
const AHEAD_AFTER_MS = 1000;
/** Rows of single queries that are kept for the token tints and the list of keys. */
const ROWS_KEPT = 32;

/** A question that was sent. */
interface Asked {
  readonly key: string;
  readonly cancel: CancellationTokenSource;
  /** False once it was answered, or failed. */
  open: boolean;
}

/**
 * Asks the engine for what the panel shows, whenever what it shows changes. A question that was superseded is
 * cancelled, and its answer dropped. While nothing else is asked and it has been quiet for a little, the matrices of the
 * next heads are fetched one by one, so that the step to a neighbour is painted from what is there.
 */
export class Questions {
  readonly #asked = new Map<Question, Asked>();
  readonly #matrices = new MatrixMemory();
  #ahead: Asked | null = null;
  /** Of this trace the last one failed. */
  #noMoreAheadOf: number | null = null;
  /** The heads that were shown last, the newest first: they tell which way the user goes. */
  #visited: readonly HeadRef[] = [];
  #frame = 0;
  /** Runs while nothing is fetched ahead. */
  #pause: ReturnType<typeof setTimeout> | null = null;
  /** The trace that was asked about last. */
  #traceId: number | null = null;

  constructor(
    private readonly store: PanelStore,
    private readonly sender: RequestSender,
    private readonly aheadAfterMs = AHEAD_AFTER_MS,
  ) {
    store.subscribe(() => this.#review());
  }

  /** Asks again what failed, after the engine came back. */
  retry(): void {
    for (const question of [...this.#asked.keys()]) {
      this.#withdraw(question);
    }
    this.store.update({ failures: {} });
  }

  /** Something is asked for that is waited for: what may be wanted next is left for later. */
  postponeAhead(): void {
    this.#stopAhead();
    clearTimeout(this.#pause ?? undefined);
    this.#pause = setTimeout(() => {
      this.#pause = null;
      this.#askAhead();
    }, this.aheadAfterMs);
  }

  #review(): void {
    const { state } = this.store;
    const status = state.snapshot?.status;
    // While a new trace is made the engine answers nothing, and what was shown stays.
    if (status?.kind === 'working') {
      this.#stopAhead();
      return;
    }
    const trace = traceOf(state);
    if (trace === null) {
      for (const question of [...this.#asked.keys()]) {
        this.#withdraw(question);
      }
      return;
    }
    if (trace.id !== this.#traceId) {
      this.#traceId = trace.id;
      this.postponeAhead();
    }
    if (trace.attention.available) {
      this.#askOverview(trace);
      this.#askHeadScores(state, trace);
      this.#askMatrix(state, trace);
      // A matrix that is here already has just become part of the state.
      this.#askRows(this.store.state, trace);
    }
    // The sliders move more often than frames are drawn.
    if (this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#askCandidates();
      });
    }
    this.#askAhead();
  }

  #askOverview(trace: Trace): void {
    const params = { traceId: trace.id, resolution: THUMBNAIL_RESOLUTION };
    this.#ask('overview', HeadOverviewRequest, params, (value) => this.store.takeOverview(trace, value));
  }

  /** After the thumbnails, which are waited for: the first time the model is run for it, a piece at a time. */
  #askHeadScores(state: PanelState, trace: Trace): void {
    const { collapsed } = state.view;
    const wanted = !state.scoringStopped && (!collapsed.includes('attention') || !collapsed.includes('heads'));
    if (wanted && scoresOfHeads(state) === null && answerFor(state.overview, trace) !== null) {
      const { directory } = trace.model;
      const params = { traceId: trace.id, withinMs: SCORING_PIECE_MS };
      this.#ask('headScores', HeadScoresRequest, params, (value) => {
        if (value.scores === null) {
          this.#asked.delete('headScores');
        }
        this.store.update({ headScoring: { directory, value } });
      });
    } else if (!wanted) {
      this.#withdraw('headScores');
    }
  }

  #askMatrix(state: PanelState, trace: Trace): void {
    const head = shownHead(state);
    const params = head === null ? null : matrixQuestion(state, trace, head);
    if (head === null || params === null) {
      return;
    }
    if (!sameHead(head, this.#visited[0] ?? null)) {
      this.#visited = [head, ...this.#visited.slice(0, 1)];
    }
    const key = JSON.stringify(params);
    const known = this.#matrices.find(trace.id, key);
    if (known !== null) {
      this.#withdraw('matrix');
      this.#setFailure('matrix', null);
      if (answerFor(state.matrix, trace) !== known) {
        this.store.update({ matrix: { traceId: trace.id, value: known } });
      }
    } else if (this.#ahead?.key === key) {
      // It is on its way already.
      this.#withdraw('matrix');
      this.#asked.set('matrix', this.#ahead);
      this.#ahead = null;
    } else {
      this.#ask('matrix', HeadMatrixRequest, params, (value) => {
        this.#matrices.add(trace.id, key, value);
        this.store.update({ matrix: { traceId: trace.id, value } });
      });
    }
  }

  /** Fetches the matrix of a head that may be next, once everything that is shown is there. */
  #askAhead(): void {
    const { state } = this.store;
    const trace = traceOf(state);
    const isQuiet =
      this.#pause === null && this.#ahead === null && [...this.#asked.values()].every(({ open }) => !open);
    const isShown = trace !== null && answerFor(state.matrix, trace) !== null;
    if (!isQuiet || !isShown || trace.id === this.#noMoreAheadOf) {
      return;
    }
    const params = headsAhead(trace, this.#visited)
      .map((head) => matrixQuestion(state, trace, head))
      .find((question) => question !== null && !this.#matrices.has(trace.id, JSON.stringify(question)));
    if (params === undefined || params === null) {
      return;
    }
    const ahead: Asked = { key: JSON.stringify(params), cancel: new CancellationTokenSource(), open: true };
    this.#ahead = ahead;
    this.sender.sendRequest(HeadMatrixRequest, params, ahead.cancel.token).then(
      (value) => {
        ahead.open = false;
        this.#ahead = this.#ahead === ahead ? null : this.#ahead;
        if (traceOf(this.store.state)?.id === trace.id) {
          this.#matrices.add(trace.id, ahead.key, value);
          // It may be wanted by now; otherwise the next one can be fetched.
          this.#review();
        }
      },
      (thrown) => {
        ahead.open = false;
        if (this.#asked.get('matrix') === ahead) {
          this.#failed('matrix', thrown);
        } else if (this.#ahead === ahead) {
          // Whoever goes there asks again, and hears what is wrong.
          this.#ahead = null;
          this.#noMoreAheadOf = trace.id;
        }
      },
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
    this.#stopAhead();
    const asked: Asked = { key, cancel: new CancellationTokenSource(), open: true };
    this.#asked.set(question, asked);
    const isLatest = () => this.#asked.get(question) === asked;
    this.sender.sendRequest(type, params, asked.cancel.token).then(
      (answer) => {
        asked.open = false;
        if (isLatest()) {
          this.#setFailure(question, null);
          answered(answer);
        }
      },
      (thrown) => {
        asked.open = false;
        if (isLatest()) {
          this.#failed(question, thrown);
        }
      },
    );
  }

  #failed(question: Question, thrown: unknown): void {
    const error = HeadlightError.from(thrown);
    if (error.code === 'cancelled') {
      // Not by us: the next change of the state asks again.
      this.#asked.delete(question);
    } else {
      this.#setFailure(question, error);
    }
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

  /** What is asked for now goes before what may be asked for next. */
  #stopAhead(): void {
    this.#ahead?.cancel.cancel();
    this.#ahead = null;
  }
}

/** The question for a head's matrix as the panel would show it; null while it shows none. */
function matrixQuestion(state: PanelState, trace: Trace, head: HeadRef): HeadMatrixParams | null {
  const window = matrixWindow(state);
  if (window === null || state.resolution === 0 || state.view.collapsed.includes('attention')) {
    return null;
  }
  // A window that fits has one answer at every resolution: no new question when the panel gets wider.
  const longest = Math.max(lengthOf(window.queries), lengthOf(window.keys));
  const { layer, head: index } = head;
  return { traceId: trace.id, layer, head: index, ...window, resolution: Math.min(longest, state.resolution) };
}
