import type { HeadlightError } from '../src/protocol/errors';
import type { HeadCombination, HeadScores, HeadScoring } from '../src/protocol/heads';
import type { PanelSnapshot, Passage } from '../src/protocol/panel';
import type { AttentionStep } from '../src/protocol/stages';
import type { CandidateList, HeadMatrix, HeadOverview, SamplerSettings, Trace } from '../src/protocol/trace';
import { type BranchTree, branchShownBy, emptyTree, isTreeOf, leftOutOf } from './branch-tree';
import { mostTellingHead } from './render/head-tag';
import type { UnitKind } from './render/token-units';
import { contains, fitWindow, type MatrixWindow, revealCell, wholeWindow } from './render/token-window';

/** What tints the tokens. */
export type ColourMode = 'splits' | 'surprisal' | 'rank' | 'attention';
/** How the chosen head is drawn. */
export type Display = 'matrix' | 'lines';
/** Whether the matrix shows one head, or which of them together. */
export type HeadsShown = 'one' | HeadCombination;
/** The parts of the panel that fold away. */
export type SectionName =
  | 'tokens'
  | 'merges'
  | 'embedding'
  | 'attention'
  | 'row'
  | 'heads'
  | 'next'
  | 'branches'
  | 'choosing'
  | 'layers'
  | 'attribution'
  | 'stream'
  | 'neurons'
  | 'again'
  | 'training';

/** One head of the model; both count from 0. */
export interface HeadRef {
  readonly layer: number;
  readonly head: number;
}

/** A pair of tokens: a place in the matrix. */
export interface Cell {
  readonly query: number;
  readonly key: number;
}

/** What the user set up in the panel. It survives hide and reload; parts that belong to a trace name it. */
export interface ViewState {
  readonly colour: ColourMode;
  readonly display: Display;
  /** Which step of the attention the matrix shows. */
  readonly step: AttentionStep;
  readonly heads: HeadsShown;
  /** What the matrix merges tokens to. */
  readonly units: UnitKind;
  readonly hideSink: boolean;
  readonly collapsed: readonly SectionName[];
  /** Null until the user chose one. */
  readonly head: HeadRef | null;
  readonly pinned: { readonly traceId: number; readonly index: number } | null;
  readonly window: { readonly traceId: number; readonly window: MatrixWindow } | null;
  /** The seed of the draw; null where nothing is drawn. */
  readonly seed: number | null;
  readonly sampler: SamplerSettings | null;
  /** Of the passage that it names; null where none were made. */
  readonly branches: BranchTree | null;
}

const FIRST_VIEW: ViewState = {
  colour: 'surprisal',
  display: 'matrix',
  step: 'weights',
  heads: 'one',
  units: 'token',
  hideSink: false,
  // What the panel is opened for stands open; the rest of the journey is a press away.
  collapsed: [
    'merges',
    'embedding',
    'row',
    'heads',
    'branches',
    'choosing',
    'attribution',
    'stream',
    'neurons',
    'again',
    'training',
  ],
  head: null,
  pinned: null,
  window: null,
  seed: null,
  sampler: null,
  branches: null,
};

/** What the engine answered about the trace named. */
export interface Answered<T> {
  readonly traceId: number;
  readonly value: T;
}

/** What one query reads from in one head. */
export interface HeadRow extends HeadRef {
  readonly query: number;
  /** Weight on every token of the passage. */
  readonly weights: Float32Array;
}

/** What the panel asks the engine for. */
export type Question = 'overview' | 'headScores' | 'matrix' | 'rows' | 'candidates' | 'branch';

/** All that the panel knows. */
export interface PanelState {
  /** Null until the editor has sent the first one. */
  readonly snapshot: PanelSnapshot | null;
  /** The passage that the shown trace was made of; a snapshot may already carry the next one. */
  readonly passage: Passage | null;
  readonly view: ViewState;
  readonly sampler: SamplerSettings;
  /** The token under the pointer in the token section or its profile. */
  readonly hovered: number | null;
  /** The token that the editor's caret or pointer stands in. */
  readonly revealed: number | null;
  /** The crosshair of the matrix. */
  readonly cursor: Cell | null;
  /** The head under the pointer in the grid: shown instead of the selected one. */
  readonly preview: HeadRef | null;
  /** The head with the most to see: shown until the user chooses one. */
  readonly suggestedHead: HeadRef | null;
  /** Rows and columns that the matrix can show; 0 until it was laid out. */
  readonly resolution: number;
  readonly overview: Answered<HeadOverview> | null;
  /** Of the model named; those on random tokens are the same for every passage. */
  readonly headScoring: { readonly directory: string; readonly value: HeadScoring } | null;
  /** Whether the user has stopped the scoring of heads. */
  readonly scoringStopped: boolean;
  readonly matrix: Answered<HeadMatrix> | null;
  readonly rows: Answered<readonly HeadRow[]> | null;
  readonly candidates: Answered<CandidateList> | null;
  /** The branch that is being written. */
  readonly writing: number | null;
  readonly failures: Readonly<Partial<Record<Question, HeadlightError>>>;
  /** What a screen reader should say next. */
  readonly announcement: string;
}

const NEUTRAL_SAMPLER: SamplerSettings = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/** The trace that is shown: the present one, or the previous one while a new one is made. */
export function traceOf(state: PanelState): Trace | null {
  const status = state.snapshot?.status;
  if (status?.kind === 'ready') {
    return status.trace;
  }
  return status?.kind === 'working' && state.passage !== null ? status.previous : null;
}

/** The trace of the passage itself, whether or not a branch of it is shown. */
export function rootOf(state: PanelState): Trace | null {
  return state.passage?.root ?? traceOf(state);
}

/** The head whose matrix is shown. */
export function shownHead(state: PanelState): HeadRef | null {
  return state.preview ?? selectedHead(state);
}

/** The head that was chosen, else the suggested one; null where there is none yet, or the model has no such head. */
export function selectedHead(state: PanelState): HeadRef | null {
  const trace = traceOf(state);
  if (trace === null || !trace.attention.available) {
    return null;
  }
  const head = state.view.head ?? state.suggestedHead;
  return head !== null && head.layer < trace.attention.layers && head.head < trace.attention.heads ? head : null;
}

/** The pinned token; the last one where the user pinned none in this passage. */
export function pinnedToken(state: PanelState): number | null {
  const trace = traceOf(state);
  if (trace === null || trace.tokens.length === 0) {
    return null;
  }
  const { pinned } = state.view;
  return pinned !== null && pinned.traceId === trace.id && pinned.index < trace.tokens.length
    ? pinned.index
    : trace.tokens.length - 1;
}

/** The query token whose row is lit and listed. */
export function focusedQuery(state: PanelState): number | null {
  return state.hovered ?? state.cursor?.query ?? pinnedToken(state);
}

/** The part of the matrix that is wanted; null without a trace. */
export function matrixWindow(state: PanelState): MatrixWindow | null {
  const trace = traceOf(state);
  if (trace === null || trace.tokens.length === 0) {
    return null;
  }
  const { window } = state.view;
  return window !== null && window.traceId === trace.id
    ? fitWindow(window.window, trace.tokens.length)
    : wholeWindow(trace.tokens.length);
}

/** An answer, where it is about this trace. */
export function answerFor<T>(answered: Answered<T> | null, trace: Trace | null): T | null {
  return answered !== null && trace !== null && answered.traceId === trace.id ? answered.value : null;
}

/** The scores of the shown model's heads; null until they are there. */
export function scoresOfHeads(state: PanelState): HeadScores | null {
  return scoringOfHeads(state)?.scores ?? null;
}

/** How far the shown model's heads are scored; null before that has begun. */
export function scoringOfHeads(state: PanelState): HeadScoring | null {
  const { headScoring } = state;
  return headScoring !== null && headScoring.directory === traceOf(state)?.model.directory ? headScoring.value : null;
}

/** A tree with the branch that a trace shows and nobody remembers: it parts where the passage has another token. */
function grown(tree: BranchTree | null, root: Trace, trace: Trace): BranchTree {
  const { branches, ...of } = tree ?? emptyTree(root);
  let keep = 0;
  while (trace.tokens[keep]?.id === root.tokens[keep]?.id && keep < trace.tokens.length - 1) {
    keep++;
  }
  if (keep === 0) {
    return tree ?? emptyTree(root);
  }
  const tokens = trace.tokens
    .slice(keep)
    .map(({ id, text, bytes, probability }) => ({ id, text, bytes, probability: probability ?? 1 }));
  const id = 1 + Math.max(0, ...branches.map((branch) => branch.id));
  return { ...of, branches: [...branches, { id, parent: null, keep, tokens, from: 0, ended: 'count' }] };
}

/** The weights of one query of the shown head on every token, where the panel has them. */
export function rowOfQuery(state: PanelState, query: number | null): Float32Array | null {
  const head = shownHead(state);
  if (head === null || query === null) {
    return null;
  }
  const rows = answerFor(state.rows, traceOf(state)) ?? [];
  const row = rows.find((candidate) => candidate.query === query && sameHead(candidate, head));
  return row?.weights ?? rowOfMatrix(state, head, query);
}

function rowOfMatrix(state: PanelState, head: HeadRef, query: number): Float32Array | null {
  const trace = traceOf(state);
  const matrix = answerFor(state.matrix, trace);
  if (trace === null || matrix === null || !sameHead(matrix, head) || !contains(matrix.queries, query)) {
    return null;
  }
  if (matrix.queriesPerRow !== 1 || matrix.keysPerColumn !== 1 || matrix.columns !== trace.tokens.length) {
    return null;
  }
  const from = (query - matrix.queries.from) * matrix.columns;
  return matrix.weights.subarray(from, from + matrix.columns);
}

/** Whether both name the same head, or both none. */
export function sameHead(one: HeadRef | null, other: HeadRef | null): boolean {
  return one === other || (one !== null && other !== null && one.layer === other.layer && one.head === other.head);
}

/** The head so many layers and heads on, around at the ends; null where the trace has no attention. */
function headBeside({ attention }: Trace, from: HeadRef, layers: number, heads: number): HeadRef | null {
  const around = (value: number, count: number) => ((value % count) + count) % count;
  return attention.available
    ? { layer: around(from.layer + layers, attention.layers), head: around(from.head + heads, attention.heads) }
    : null;
}

/**
 * The heads that may be looked at next, the likeliest first: on in the direction that was taken last, then the other
 * neighbours.
 *
 * @param visited the heads shown last, the newest first
 */
export function headsAhead(trace: Trace, [at, before]: readonly HeadRef[]): readonly HeadRef[] {
  if (at === undefined) {
    return [];
  }
  const steps: readonly (readonly [number, number])[] = [
    [0, 1],
    [0, -1],
    [1, 0],
    [-1, 0],
  ];
  const onward = steps.find(
    ([layers, heads]) => before !== undefined && sameHead(headBeside(trace, before, layers, heads), at),
  );
  const all = onward === undefined ? steps : [onward, [2 * onward[0], 2 * onward[1]] as const, ...steps];
  const ahead = all.map(([layers, heads]) => headBeside(trace, at, layers, heads));
  return ahead.filter((head) => head !== null && !sameHead(head, at)) as HeadRef[];
}

/** Statistics of heads on a shorter passage are chance. */
const SPEAKING_LENGTH = 16;

/**
 * The one place that holds what the panel knows. States are immutable; whoever draws keeps the state that it drew and
 * compares.
 */
export class PanelStore {
  #state: PanelState;
  readonly #listeners = new Set<() => void>();
  /** Tokens of the passage that the suggested head comes from. */
  #suggestionLength = 0;

  /** @param saved What `ViewState` an earlier page left, of any shape. */
  constructor(saved: unknown) {
    const view = { ...FIRST_VIEW, ...(typeof saved === 'object' ? (saved as Partial<ViewState>) : null) };
    this.#state = {
      snapshot: null,
      passage: null,
      view,
      sampler: view.sampler ?? NEUTRAL_SAMPLER,
      hovered: null,
      revealed: null,
      cursor: null,
      preview: null,
      suggestedHead: null,
      resolution: 0,
      overview: null,
      headScoring: null,
      scoringStopped: false,
      matrix: null,
      rows: null,
      candidates: null,
      writing: null,
      failures: {},
      announcement: '',
    };
  }

  get state(): PanelState {
    return this.#state;
  }

  /** Calls back after every change. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  update(change: Partial<PanelState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of [...this.#listeners]) {
      listener();
    }
  }

  updateView(change: Partial<ViewState>): void {
    this.update({ view: { ...this.#state.view, ...change } });
  }

  /** Takes what the editor says. What belonged to an older trace goes, unless that one stays on the screen. */
  receive(snapshot: PanelSnapshot): void {
    const before = traceOf(this.#state);
    const passage =
      snapshot.status.kind === 'ready'
        ? snapshot.passage
        : snapshot.status.kind === 'working'
          ? this.#state.passage
          : null;
    const after = traceOf({ ...this.#state, snapshot, passage });
    const change: Partial<PanelState> =
      before?.id === after?.id ? {} : { hovered: null, revealed: null, cursor: null, preview: null, failures: {} };
    // The editor's sampler is where a new panel starts. From then on it is changed here only, and what a snapshot
    // carries may be older.
    const starts = this.#state.snapshot === null && this.#state.view.sampler === null;
    this.update({ ...change, snapshot, passage, ...(starts ? { sampler: snapshot.sampler } : {}) });
    if (after !== null && after.id !== before?.id) {
      this.#followBranch(after);
    }
  }

  /** Branches go with their passage. The pin goes to where a branch parts, or where a suggestion begins. */
  #followBranch(trace: Trace): void {
    const { passage, view } = this.#state;
    const root = passage?.root ?? trace;
    const kept = view.branches !== null && isTreeOf(view.branches, root) ? view.branches : null;
    const isBranch = passage?.root != null;
    const branches =
      isBranch && (kept === null || branchShownBy(kept, trace) === null) ? grown(kept, root, trace) : kept;
    const shown = isBranch && branches !== null ? branchShownBy(branches, trace) : null;
    const from = passage?.generatedFrom ?? null;
    const first =
      shown !== null
        ? Math.max(0, shown.keep + shown.from - leftOutOf(trace, shown))
        : from === null || isBranch
          ? -1
          : trace.tokens.findIndex(({ end }) => end > from);
    const isPinned = view.pinned?.traceId === trace.id;
    const collapsed = first >= 0 ? view.collapsed.filter((name) => name !== 'branches') : view.collapsed;
    if (branches !== view.branches || (first >= 0 && !isPinned)) {
      const pinned = first >= 0 && !isPinned ? { traceId: trace.id, index: first } : view.pinned;
      this.updateView({ branches, pinned, collapsed });
    }
  }

  takeOverview(trace: Trace, value: HeadOverview): void {
    // Kept once it was found on a passage that says something: a head that changes by itself would be in the way.
    const settled = selectedHead(this.#state) !== null && this.#suggestionLength >= SPEAKING_LENGTH;
    if (!settled) {
      this.#suggestionLength = trace.tokens.length;
    }
    this.update({
      overview: { traceId: trace.id, value },
      ...(settled ? {} : { suggestedHead: mostTellingHead(value) }),
    });
  }

  toggleSection(name: SectionName): void {
    const { collapsed } = this.#state.view;
    this.updateView({
      collapsed: collapsed.includes(name) ? collapsed.filter((other) => other !== name) : [...collapsed, name],
    });
  }

  hover(index: number | null): void {
    if (this.#state.hovered !== index) {
      this.update({ hovered: index });
    }
  }

  showStep(step: AttentionStep): void {
    this.updateView({ step });
  }

  pin(index: number): void {
    const trace = traceOf(this.#state);
    if (trace !== null) {
      const pinned = { traceId: trace.id, index: Math.min(trace.tokens.length - 1, Math.max(0, index)) };
      this.update({ cursor: null, view: { ...this.#state.view, pinned } });
    }
  }

  selectHead(head: HeadRef): void {
    this.update({ preview: null, view: { ...this.#state.view, head } });
  }

  previewHead(head: HeadRef | null): void {
    if (!sameHead(this.#state.preview, head)) {
      this.update({ preview: head });
    }
  }

  /** Goes so many layers and heads on, around at the ends. */
  stepHead(layers: number, heads: number): void {
    const trace = traceOf(this.#state);
    const from = selectedHead(this.#state);
    const to = trace === null || from === null ? null : headBeside(trace, from, layers, heads);
    if (to !== null) {
      this.selectHead(to);
    }
  }

  /** Puts the crosshair on a cell; the window follows it. */
  moveCursor(cursor: Cell | null): void {
    const window = matrixWindow(this.#state);
    if (cursor === null || window === null) {
      this.update({ cursor: null });
      return;
    }
    const revealed = revealCell(window, cursor.query, cursor.key);
    this.update({ cursor });
    if (revealed !== window && (revealed.queries !== window.queries || revealed.keys !== window.keys)) {
      this.showWindow(revealed);
    }
  }

  /** Shows a part of the matrix; null shows all of it. */
  showWindow(window: MatrixWindow | null): void {
    const trace = traceOf(this.#state);
    if (trace !== null) {
      this.updateView({
        window: window === null ? null : { traceId: trace.id, window: fitWindow(window, trace.tokens.length) },
      });
    }
  }

  setSampler(sampler: SamplerSettings): void {
    this.update({ sampler, view: { ...this.#state.view, sampler } });
  }

  announce(announcement: string): void {
    this.update({ announcement });
  }
}
