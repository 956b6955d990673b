import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { ContinuationRequest, type GeneratedToken } from '../../src/protocol/continuation';
import type { Trace } from '../../src/protocol/trace';
import { closeAll, headlight, inspect, inspectText, openText, traceOf } from './session';

const PROSE = 'The lamp went out at ten past five. Nobody had touched the lamp.';

/** What may stand in the place of a token, the model's own first. */
async function candidatesAt(root: Trace, keep: number, behind: readonly number[] = []): Promise<GeneratedToken> {
  const { engine } = await headlight();
  const sampler = { temperature: 0, topK: 0, topP: 1, minP: 0 };
  const how = { behind, count: 1, untilLineEnd: false, sampler, seed: 0, limit: 8, withinMs: null };
  const { tokens } = await engine.ask(ContinuationRequest, { traceId: root.id, keep, ...how });
  return tokens[0];
}

describe('branches of a passage', () => {
  afterEach(closeAll);

  it('are read token for token, marked from where they part, and stand nowhere in the document', async () => {
    const { inspection } = await headlight();
    const root = traceOf(await inspectText(`before\n${PROSE}`));
    const { candidates, probability } = await candidatesAt(root, 5);
    assert.ok(Math.abs(probability - candidates[0].probability) < 1e-12);
    const other = candidates.find(({ id }) => id !== root.tokens[5].id)!;
    await inspection.showBranch(root.id, { keep: 5, behind: [other.id] });
    const { passage, status } = inspection.snapshot;
    const branch = traceOf(status);
    assert.deepEqual(
      branch.tokens.map(({ id }) => id),
      [...root.tokens.slice(0, 5).map(({ id }) => id), other.id],
    );
    assert.ok(Math.abs(branch.tokens[5].probability! - other.probability) < 1e-5);
    const kept = `before\n${PROSE}`.slice(0, root.tokens[4].end);
    assert.equal(passage?.text, kept + other.text);
    assert.ok(passage.generatedFrom !== null && passage.generatedFrom >= kept.length);
    assert.equal(passage.root?.id, root.id);
    assert.deepEqual(inspection.locate(4)?.range.end, new vscode.Position(1, kept.length - 7));
    assert.equal(inspection.locate(5), null);
    assert.equal(inspection.tokenAt(vscode.window.activeTextEditor!.document, new vscode.Position(1, 30)), null);

    await inspection.showBranch(root.id, null);
    assert.equal(inspection.snapshot.passage?.root, null);
    assert.equal(inspection.snapshot.passage?.text, `before\n${PROSE}`);
  });

  it('are written into the document in the place of what it had, in one step', async () => {
    const { inspection } = await headlight();
    const editor = await openText(`${PROSE}\r\nbehind`);
    editor.selection = new vscode.Selection(0, 0, 0, PROSE.length);
    const root = traceOf(await inspect(editor));
    const { candidates } = await candidatesAt(root, 3);
    const behind = [candidates.find(({ text }) => !PROSE.includes(text))!.id, root.tokens[4].id];
    await inspection.insertBranch(root.id, { keep: 3, behind });
    const written = PROSE.slice(0, root.tokens[2].end) + candidates.find(({ id }) => id === behind[0])!.text;
    assert.equal(editor.document.lineAt(0).text, written + root.tokens[4].text);
    assert.equal(editor.document.lineAt(1).text, 'behind');
    assert.equal(inspection.snapshot.passage?.generatedFrom, null);
    await vscode.commands.executeCommand('undo');
    assert.equal(editor.document.lineAt(0).text, PROSE);
  });

  it('do not overwrite a passage that has changed since', async () => {
    const { inspection } = await headlight();
    const editor = await openText(PROSE);
    editor.selection = new vscode.Selection(0, 0, 0, PROSE.length);
    const root = traceOf(await inspect(editor));
    assert.ok(await editor.edit((edit) => edit.insert(new vscode.Position(0, 8), '!')));
    const { candidates } = await candidatesAt(root, 3);
    const before = editor.document.getText();
    await inspection.insertBranch(root.id, { keep: 3, behind: [candidates[1].id] });
    assert.equal(editor.document.getText(), before);
  });

  it('are not written into a passage that was inspected after them', async () => {
    const { inspection } = await headlight();
    const editor = await openText(PROSE);
    editor.selection = new vscode.Selection(0, 0, 0, PROSE.length);
    const root = traceOf(await inspect(editor));
    const { candidates } = await candidatesAt(root, 3);
    editor.selection = new vscode.Selection(0, 4, 0, PROSE.length);
    const newer = traceOf(await inspect(editor));
    const path = { keep: 3, behind: [candidates[1].id] };
    await inspection.showBranch(root.id, path);
    await inspection.insertBranch(root.id, path);
    await inspection.insertAtEnd(root.id, '!');
    assert.equal(inspection.trace?.id, newer.id);
    assert.equal(editor.document.getText(), PROSE);
  });

  it('come back with a new engine, and go with another passage', async () => {
    const { engine, inspection } = await headlight();
    const root = traceOf(await inspectText(PROSE));
    const { candidates } = await candidatesAt(root, 4);
    const path = { keep: 4, behind: [candidates[2].id] };
    await inspection.showBranch(root.id, path);
    engine.restart();
    await inspection.inspectAgain();
    const again = inspection.snapshot;
    assert.ok(again.passage?.root !== null && again.passage?.root.id !== root.id);
    assert.equal(traceOf(again.status).tokens[4].id, candidates[2].id);
    traceOf(await inspectText('Quite another passage.'));
    assert.equal(inspection.snapshot.passage?.root, null);
  });
});
