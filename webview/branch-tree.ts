import type { BranchPath, ContinuationEnd } from '../src/protocol/continuation';
import type { LensToken, NamedToken } from '../src/protocol/stages';
import type { Trace } from '../src/protocol/trace';

/** One way that a passage could have gone on: from the passage itself, or from another branch of it. */
export interface Branch {
  readonly id: number;
  /** The branch that it parts from; null for the passage. */
  readonly parent: number | null;
  /** So many of the passage's tokens are kept. */
  readonly keep: number;
  /** What stands behind those; up to `from` it is the parent's. */
  readonly tokens: readonly LensToken[];
  /** Where in `tokens` the one stands that was chosen instead of the parent's. */
  readonly from: number;
  /** Why nothing more was written; null where more is to come, or was when the page went away. */
  readonly ended: Exclude<ContinuationEnd, 'time'> | null;
}

/** The branches of a passage. */
export interface BranchTree {
  /** The model's folder. */
  readonly model: string;
  /** Ids of the passage's tokens. */
  readonly root: readonly number[];
  /** Each behind the one that it parts from. */
  readonly branches: readonly Branch[];
}

/** Where another token can be chosen: behind the kept tokens of the passage and some of a branch. */
export interface Place {
  /** The branch that stands there now; null for the passage. */
  readonly owner: number | null;
  readonly keep: number;
  /** Tokens of the owner behind the kept ones, before the place. */
  readonly before: readonly LensToken[];
}

/** More than anyone looks at: what was explored first goes then, with all that parts from it. */
const MOST_BRANCHES = 64;

/** A tree of that passage without branches. */
export function emptyTree(root: Trace): BranchTree {
  return { model: root.model.directory, root: root.tokens.map(({ id }) => id), branches: [] };
}

/** Whether the branches are those of that passage, as that model reads it. */
export function isTreeOf({ model, root }: BranchTree, trace: Trace): boolean {
  return (
    model === trace.model.directory &&
    root.length === trace.tokens.length &&
    trace.tokens.every(({ id }, index) => id === root[index])
  );
}

/** The way to a branch for the engine. */
export function pathOf({ keep, tokens }: Pick<Branch, 'keep' | 'tokens'>): BranchPath {
  return { keep, behind: tokens.map(({ id }) => id) };
}

/** The branch of that id. */
export function branchOf(tree: BranchTree, id: number): Branch {
  return tree.branches.find((branch) => branch.id === id)!;
}

/** The branch whose tokens a trace ends with, the longest of those; null where it is of none. */
export function branchShownBy(tree: BranchTree, trace: Trace): Branch | null {
  const shown = trace.tokens.filter(({ added }) => !added).map(({ id }) => id);
  const fits = ({ keep, tokens }: Branch) => {
    const all = [...tree.root.slice(0, keep), ...tokens.map(({ id }) => id)];
    return shown.length <= all.length && shown.every((id, at) => id === all[all.length - shown.length + at]);
  };
  return tree.branches.filter(fits).reduce<Branch | null>((best, each) => longerOf(best, each), null);
}

function longerOf(one: Branch | null, other: Branch): Branch {
  return one === null || other.keep + other.tokens.length > one.keep + one.tokens.length ? other : one;
}

/** How many tokens at the beginning a branch's trace has not, since they did not fit the context. */
export function leftOutOf(trace: Trace, { keep, tokens }: Branch): number {
  return keep + tokens.length - trace.tokens.length;
}

/**
 * The place at which a token stands.
 *
 * @param shown the branch that is on the screen; null for the passage
 * @param index of the token in the passage or the branch, also the one behind the last
 */
export function placeAt(tree: BranchTree | null, shown: Branch | null, index: number): Place {
  let owner = shown;
  // Up to where a branch parts, and there too, the place is its parent's.
  while (owner !== null && tree !== null && index <= owner.keep + owner.from) {
    owner = owner.parent === null ? null : branchOf(tree, owner.parent);
  }
  return owner === null
    ? { owner: null, keep: index, before: [] }
    : { owner: owner.id, keep: owner.keep, before: owner.tokens.slice(0, index - owner.keep) };
}

/** The position of a place's token, from the passage's beginning. */
export function positionOf({ keep, before }: Place): number {
  return keep + before.length;
}

/** The place at which a branch parts from its parent. */
export function placeOf({ parent, keep, from, tokens }: Branch): Place {
  return { owner: parent, keep, before: tokens.slice(0, from) };
}

/** Whether both are the same. */
export function samePlace(one: Place, other: Place): boolean {
  return one.owner === other.owner && positionOf(one) === positionOf(other);
}

/** The branch that was made by choosing a token at a place; undefined where there is none yet. */
export function branchBy(tree: BranchTree, place: Place, id: number): Branch | undefined {
  return tree.branches.find((branch) => samePlace(placeOf(branch), place) && branch.tokens[branch.from].id === id);
}

/** Puts a branch into the tree that begins with a chosen token. */
export function withBranch(
  tree: BranchTree,
  place: Place,
  chosen: LensToken,
): { readonly tree: BranchTree; readonly branch: Branch } {
  const id = 1 + Math.max(0, ...tree.branches.map((branch) => branch.id));
  const { owner, keep, before } = place;
  const branch = { id, parent: owner, keep, tokens: [...before, chosen], from: before.length, ended: null };
  const branches = [...tree.branches, branch];
  const [first] = branches;
  const kept = branches.length > MOST_BRANCHES ? withoutBranch({ ...tree, branches }, first.id) : { ...tree, branches };
  return { tree: kept.branches.includes(branch) ? kept : { ...tree, branches }, branch };
}

/** The tree without a branch and what parts from it. */
export function withoutBranch(tree: BranchTree, id: number): BranchTree {
  const gone = new Set([id]);
  const branches = tree.branches.filter((branch) => {
    if (gone.has(branch.id) || (branch.parent !== null && gone.has(branch.parent))) {
      gone.add(branch.id);
      return false;
    }
    return true;
  });
  return { ...tree, branches };
}

/** The tree with more tokens at the end of a branch. */
export function withTokens(
  tree: BranchTree,
  id: number,
  tokens: readonly LensToken[],
  ended: Branch['ended'],
): BranchTree {
  const grown = (branch: Branch): Branch => ({ ...branch, tokens: [...branch.tokens, ...tokens.map(bare)], ended });
  return { ...tree, branches: tree.branches.map((branch) => (branch.id === id ? grown(branch) : branch)) };
}

/** Nothing more of a token is kept than is shown. */
function bare({ id, text, bytes, probability }: LensToken): LensToken {
  return { id, text, bytes, probability };
}

/** The way that was gone at a place, where it is no branch: the passage's own tokens, or the parent's. */
export interface StandingWay {
  readonly kind: 'standing';
  readonly token: NamedToken & { readonly probability: number | null };
  /** What follows it. */
  readonly tokens: readonly (NamedToken & { readonly probability: number | null })[];
}

/** A way to go on at a place. */
export type Way =
  | StandingWay
  | { readonly kind: 'branch'; readonly branch: Branch }
  /** A token that could be chosen. */
  | { readonly kind: 'candidate'; readonly token: LensToken };

/** A line of the tree as it is drawn. `depth` counts the branches that it stands in. */
export type TreeRow =
  | { readonly kind: 'place'; readonly depth: number; readonly place: Place; readonly instead: NamedToken | null }
  | { readonly kind: 'way'; readonly depth: number; readonly place: Place; readonly way: Way };

/** The token that a way begins with. */
export function firstOf(way: Way): NamedToken & { readonly probability: number | null } {
  return way.kind === 'branch' ? way.branch.tokens[way.branch.from] : way.token;
}

/** What follows its first token. */
export function restOf(way: Way): readonly (NamedToken & { readonly probability: number | null })[] {
  return way.kind === 'branch'
    ? way.branch.tokens.slice(way.branch.from + 1)
    : way.kind === 'standing'
      ? way.tokens
      : [];
}

/** The probability that the model goes just this way; null where it is not known of all tokens. */
export function probabilityOf(way: Way): number | null {
  return [firstOf(way), ...restOf(way)].reduce<number | null>(
    (product, { probability }) => (product === null || probability === null ? null : product * probability),
    1,
  );
}

/** Tokens of the passage that are shown behind the one that stands at a place. */
const STANDING_TOKENS = 24;

/**
 * The tree as lines: under each branch the places where others part from it, in their order, and at each place its ways,
 * the most probable first.
 *
 * @param root the passage
 * @param current the place at which all candidates are listed
 */
export function rowsOf(
  tree: BranchTree,
  root: Trace,
  current: { readonly place: Place; readonly candidates: readonly LensToken[] } | null,
): readonly TreeRow[] {
  const rows: TreeRow[] = [];
  const add = (owner: Branch | null, depth: number): void => {
    const places: Place[] = [];
    const ownerId = owner?.id ?? null;
    const all = [...(current === null ? [] : [current.place]), ...tree.branches.map(placeOf)];
    for (const place of all.filter((each) => each.owner === ownerId)) {
      if (places.every((other) => !samePlace(other, place))) {
        places.push(place);
      }
    }
    for (const place of places.sort((a, b) => positionOf(a) - positionOf(b))) {
      const standing = standingAt(tree, root, place);
      rows.push({ kind: 'place', depth, place, instead: standing?.token ?? null });
      for (const way of waysAt(place, standing)) {
        rows.push({ kind: 'way', depth, place, way });
        if (way.kind === 'branch') {
          add(way.branch, depth + 1);
        }
      }
    }
  };
  const waysAt = (place: Place, standing: StandingWay | null): readonly Way[] => {
    const branches = tree.branches.filter((branch) => samePlace(placeOf(branch), place));
    const taken = new Set([standing?.token.id, ...branches.map((branch) => branch.tokens[branch.from].id)]);
    const listed = current !== null && samePlace(current.place, place) ? current.candidates : [];
    const ways: Way[] = [
      ...(standing === null ? [] : [standing]),
      ...branches.map((branch): Way => ({ kind: 'branch', branch })),
      ...listed.filter(({ id }) => !taken.has(id)).map((token): Way => ({ kind: 'candidate', token })),
    ];
    return ways.sort((a, b) => (firstOf(b).probability ?? 1) - (firstOf(a).probability ?? 1));
  };
  add(null, 0);
  return rows;
}

/** What stands at a place without choosing another token; null behind the end. */
export function standingAt({ branches }: BranchTree, root: Trace, { owner, keep, before }: Place): StandingWay | null {
  const branch = branches.find(({ id }) => id === owner) ?? null;
  const all = branch === null ? root.tokens : branch.tokens;
  const at = branch === null ? keep : before.length;
  const token = all[at];
  return token === undefined ? null : { kind: 'standing', token, tokens: all.slice(at + 1, at + 1 + STANDING_TOKENS) };
}
