import assert from 'node:assert/strict';
import type { LensToken } from '../../../src/protocol/stages';
import type { Trace } from '../../../src/protocol/trace';
import {
  type BranchTree,
  branchBy,
  branchShownBy,
  emptyTree,
  firstOf,
  isTreeOf,
  type Place,
  pathOf,
  placeAt,
  placeOf,
  probabilityOf,
  rowsOf,
  samePlace,
  withBranch,
  withoutBranch,
  withTokens,
} from '../../../webview/branch-tree';
import { sampleTrace } from './sample';

/** Tokens 0…5. */
const ROOT = sampleTrace(1, 6);

function token(id: number, probability = 0.25): LensToken {
  return { id, text: `t${id}`, bytes: [116], probability };
}

function rootPlace(keep: number): Place {
  return { owner: null, keep, before: [] };
}

/** 50 51 52 in the place of 3, and 61 62 in the place of 52. */
function nested(): BranchTree {
  const first = withBranch(emptyTree(ROOT), rootPlace(3), token(50, 0.5));
  const grown = withTokens(first.tree, first.branch.id, [token(51), token(52)], 'line');
  const second = withBranch(grown, placeAt(grown, grown.branches[0], 5), token(61));
  return withTokens(second.tree, second.branch.id, [token(62)], 'count');
}

function shownAs(ids: readonly number[]): Trace {
  const trace = sampleTrace(2, ids.length);
  return { ...trace, tokens: trace.tokens.map((each, index) => ({ ...each, id: ids[index] })) };
}

describe('tree of branches', () => {
  it('goes back to what the branches part from', () => {
    const tree = nested();
    const [first, second] = tree.branches;
    assert.deepEqual(pathOf(second), { keep: 3, behind: [50, 51, 61, 62] });
    assert.equal(second.parent, first.id);
    assert.ok(samePlace(placeOf(first), rootPlace(3)));
    assert.ok(branchBy(tree, rootPlace(3), 50) === first && branchBy(tree, rootPlace(3), 51) === undefined);
    // In what a branch has from its parent, the place is the parent's; in what is kept, the passage's.
    assert.deepEqual(
      [2, 3, 4, 5, 6, 7].map((index) => placeAt(tree, second, index).owner),
      [null, null, first.id, first.id, second.id, second.id],
    );
  });

  it('knows which branch a trace shows, also one that has lost its beginning', () => {
    const tree = nested();
    assert.equal(branchShownBy(tree, shownAs([0, 1, 2, 50, 51, 52]))?.id, 1);
    assert.equal(branchShownBy(tree, shownAs([0, 1, 2, 50, 51, 61, 62]))?.id, 2);
    assert.equal(branchShownBy(tree, shownAs([2, 50, 51, 61, 62]))?.id, 2);
    assert.equal(branchShownBy(tree, shownAs([0, 1, 2, 99])), null);
  });

  it('belongs to one passage as one model reads it', () => {
    const tree = nested();
    assert.ok(isTreeOf(tree, sampleTrace(9, 6)));
    assert.ok(!isTreeOf(tree, sampleTrace(9, 7)));
    assert.ok(!isTreeOf(tree, { ...ROOT, model: { ...ROOT.model, directory: '/models/other' } }));
  });

  it('lists the ways of each place, the most probable first, and under a branch what parts from it', () => {
    const place = rootPlace(3);
    const candidates = [token(70, 0.3), token(3, 0.5), token(50, 0.5), token(71, 0.1)];
    const rows = rowsOf(nested(), ROOT, { place, candidates }).map((row) =>
      row.kind === 'place' ? `${row.depth} place` : `${row.depth} ${row.way.kind} ${firstOf(row.way).id}`,
    );
    assert.deepEqual(rows, [
      '0 place',
      '0 standing 3',
      '0 branch 50',
      '1 place',
      '1 standing 52',
      '1 branch 61',
      '0 candidate 70',
      '0 candidate 71',
    ]);
  });

  it('multiplies probabilities, and says nothing where one is not known', () => {
    const [first] = nested().branches;
    assert.equal(probabilityOf({ kind: 'branch', branch: first }), 0.5 * 0.25 * 0.25);
    const unknown = { ...token(1), probability: null };
    assert.equal(probabilityOf({ kind: 'standing', token: unknown, tokens: [] }), null);
  });

  it('loses with a branch what parts from it, and the oldest where there are too many', () => {
    assert.equal(withoutBranch(nested(), 1).branches.length, 0);
    assert.equal(withoutBranch(nested(), 2).branches.length, 1);
    let tree = nested();
    for (let id = 100; id < 200; id++) {
      ({ tree } = withBranch(tree, rootPlace(2), token(id)));
    }
    assert.ok(tree.branches.length <= 64);
    assert.equal(tree.branches.at(-1)?.tokens[0].id, 199);
    assert.ok(tree.branches.every(({ parent }) => parent === null));
  });
});
