import { CancellationTokenSource } from 'vscode-jsonrpc';
import { ContinuationRequest } from '../src/protocol/continuation';
import { HeadlightError } from '../src/protocol/errors';
import type { LensToken } from '../src/protocol/stages';
import {
  type Branch,
  branchBy,
  branchOf,
  branchShownBy,
  emptyTree,
  leftOutOf,
  type Place,
  pathOf,
  placeAt,
  positionOf,
  withBranch,
  withoutBranch,
  withTokens,
} from './branch-tree';
import type { EditorLink } from './editor-link';
import type { RequestSender } from './questions';
import { visibleText } from './render/visible-text';
import { type PanelState, type PanelStore, pinnedToken, rootOf, traceOf } from './state';

/** The longest continuation of a chosen token. */
const LONGEST = 24;
/** A slow model's tokens come while they are written. */
const PART_MS = 300;
/** Always the most probable token, as the suggestions are by default. */
const GREEDY = { temperature: 0, topK: 0, topP: 1, minP: 0 };

/** Makes branches of the passage, and shows or writes them. */
export class Branches {
  #writing: { readonly rootId: number; readonly cancel: CancellationTokenSource } | null = null;

  constructor(
    private readonly store: PanelStore,
    private readonly sender: RequestSender,
    private readonly link: Pick<EditorLink, 'showBranch' | 'insertBranch'>,
  ) {
    store.subscribe(() => {
      // What is written on behind another passage is of no use.
      if (this.#writing !== null && rootOf(store.state)?.id !== this.#writing.rootId) {
        this.#writing.cancel.cancel();
      }
    });
  }

  /** Chooses a token at a place, writes on from there, and shows what comes of it. */
  async explore(place: Place, token: LensToken): Promise<void> {
    const { store } = this;
    const root = rootOf(store.state);
    if (root === null) {
      return;
    }
    const before = store.state.view.branches ?? emptyTree(root);
    const known = branchBy(before, place, token.id);
    if (known !== undefined) {
      this.show(known);
      return;
    }
    this.#writing?.cancel.cancel();
    const cancel = new CancellationTokenSource();
    this.#writing = { rootId: root.id, cancel };
    const { tree, branch } = withBranch(before, place, token);
    this.#openSection();
    store.updateView({ branches: tree });
    const { branch: _before, ...failures } = store.state.failures;
    store.update({ writing: branch.id, failures });
    try {
      await this.#write(root.id, branch.id, cancel);
      if (!cancel.token.isCancellationRequested) {
        store.announce(`Branch: ${visibleText(textFrom(branchOf(store.state.view.branches!, branch.id)))}`);
        this.show(branchOf(store.state.view.branches!, branch.id));
      }
    } catch (thrown) {
      const failure = HeadlightError.from(thrown);
      const { branches } = store.state.view;
      if (failure.code !== 'cancelled' && branches !== null) {
        store.updateView({ branches: withoutBranch(branches, branch.id) });
        store.update({ failures: { ...store.state.failures, branch: failure } });
      }
    } finally {
      if (store.state.writing === branch.id) {
        store.update({ writing: null });
      }
      cancel.dispose();
      if (this.#writing?.cancel === cancel) {
        this.#writing = null;
      }
    }
  }

  /** Chooses a token behind the end of what is shown. */
  exploreAtEnd(token: LensToken): Promise<void> {
    const place = endOf(this.store.state);
    return place === null ? Promise.resolve() : this.explore(place, token);
  }

  /** Makes a branch the passage that the panel shows; null goes back to the passage itself. */
  show(branch: Branch | null): void {
    this.link.showBranch(branch === null ? null : pathOf(branch));
  }

  /** Writes a branch into the document. */
  insert(branch: Pick<Branch, 'keep' | 'tokens'>): void {
    this.link.insertBranch(pathOf(branch));
  }

  /** Forgets all branches and shows the passage itself. */
  clear(): void {
    this.#writing?.cancel.cancel();
    this.store.updateView({ branches: null });
    if (this.store.state.passage?.root) {
      this.show(null);
    }
  }

  async #write(traceId: number, id: number, cancel: CancellationTokenSource): Promise<void> {
    for (let left = LONGEST - 1; left > 0; ) {
      const { keep, behind } = pathOf(branchOf(this.store.state.view.branches!, id));
      const how = { untilLineEnd: true, sampler: GREEDY, seed: 0, limit: 0, withinMs: PART_MS };
      const params = { traceId, keep, behind, count: left, ...how };
      const { tokens, ended } = await this.sender.sendRequest(ContinuationRequest, params, cancel.token);
      const { branches } = this.store.state.view;
      if (cancel.token.isCancellationRequested || branches === null) {
        throw new HeadlightError('cancelled', 'Another branch was begun meanwhile.');
      }
      // The end token says that nothing follows; it is no text.
      const text = ended === 'end-token' ? tokens.slice(0, -1) : tokens;
      this.store.updateView({ branches: withTokens(branches, id, text, ended === 'time' ? null : ended) });
      left = ended === 'time' ? left - tokens.length : 0;
    }
  }

  #openSection(): void {
    if (this.store.state.view.collapsed.includes('branches')) {
      this.store.toggleSection('branches');
    }
  }
}

/** The branch on the screen; null while the passage itself is, and while nothing is. */
export function shownBranch(state: PanelState): Branch | null {
  const trace = traceOf(state);
  const tree = state.view.branches;
  return trace === null || tree === null || !state.passage?.root ? null : branchShownBy(tree, trace);
}

/** The place of the pinned token, where another one can be chosen; null for the first, before which nothing stands. */
export function pinnedPlace(state: PanelState): Place | null {
  const trace = traceOf(state);
  const pinned = pinnedToken(state);
  if (trace === null || pinned === null) {
    return null;
  }
  const shown = shownBranch(state);
  const index = pinned + (shown === null ? 0 : leftOutOf(trace, shown));
  const place = placeAt(state.view.branches, shown, index);
  return trace.tokens[pinned].added || positionOf(place) === 0 ? null : place;
}

/** The place behind the last token of what is shown. */
function endOf(state: PanelState): Place | null {
  const trace = traceOf(state);
  const shown = shownBranch(state);
  return trace === null
    ? null
    : placeAt(state.view.branches, shown, trace.tokens.length + (shown === null ? 0 : leftOutOf(trace, shown)));
}

/** What a branch says from its chosen token on. */
function textFrom({ tokens, from }: Branch): string {
  return tokens
    .slice(from)
    .map(({ text }) => text)
    .join('');
}
