import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { PanelStatus } from '../../src/protocol/panel';
import { closeAll, headlight, inspect, inspectText, openText, pause, selectAll, traceOf, until } from './session';

const PROSE = 'The lamp went out at ten past five. Nobody had touched the lamp.\n';
/** Long enough for any small model's context to be full. */
const LONG = PROSE.repeat(200);

describe('inspecting', () => {
  afterEach(closeAll);

  it('yields a trace of the selection, beside the editor, which keeps the focus', async () => {
    const { panel, inspection } = await headlight();
    const editor = await openText(`before\n${PROSE}after`);
    editor.selection = new vscode.Selection(1, 0, 1, 35);
    const { tokens } = traceOf(await inspect(editor));

    assert.equal(tokens.map((token) => token.text).join(''), 'The lamp went out at ten past five.');
    assert.deepEqual([tokens[0].start, tokens.at(-1)?.end], [0, 35]);
    assert.equal(tokens[0].probability, null);
    assert.ok(tokens.slice(1).every(({ probability }) => probability !== null && probability > 0 && probability < 1));
    assert.ok(panel.visible);
    assert.equal(vscode.window.activeTextEditor?.document, editor.document);
    assert.deepEqual(inspection.locate(0)?.range, new vscode.Range(1, 0, 1, 3));
    const { passage } = inspection.snapshot;
    assert.deepEqual([passage?.firstLine, passage?.lastLine, passage?.edited], [2, 2, false]);
  });

  it('takes the text up to the caret where nothing is selected', async () => {
    const editor = await openText('one two three\nfour five six');
    editor.selection = new vscode.Selection(1, 4, 1, 4);
    const { tokens } = traceOf(await inspect(editor));
    assert.equal(tokens.map((token) => token.text).join(''), 'one two three\nfour');
  });

  it('keeps the end of what is longer than the context, and says so', async () => {
    const { inspection } = await headlight();
    const trace = traceOf(await inspectText(LONG));
    assert.ok(trace.truncation !== null);
    assert.equal(trace.truncation.keptTokens, trace.model.contextLength);
    assert.equal(trace.tokens.length, trace.model.contextLength);
    assert.ok(trace.truncation.totalTokens > trace.model.contextLength);
    const end = inspection.locate(trace.tokens.length - 1)?.range.end;
    assert.deepEqual(end, new vscode.Position(200, 0));
  });

  it('drops a run that a newer selection overtook', async () => {
    const { inspection } = await headlight();
    const editor = await openText(LONG);
    const ready: string[] = [];
    const subscription = inspection.onDidChange(() => {
      const { status, passage } = inspection.snapshot;
      if (status.kind === 'ready') {
        ready.push(passage?.text ?? '');
      }
    });
    try {
      editor.selection = selectAll(editor);
      const first = inspection.inspectSelection(editor);
      editor.selection = new vscode.Selection(0, 0, 0, 8);
      const second = inspection.inspectSelection(editor);
      await Promise.all([first, second]);
      await pause(300);
    } finally {
      subscription.dispose();
    }
    assert.ok(ready.length > 0);
    assert.deepEqual([...new Set(ready)], ['The lamp']);
  });

  it('does not read again what is on the screen or on its way there', async () => {
    const { inspection } = await headlight();
    const editor = await openText('five six seven');
    editor.selection = selectAll(editor);
    const first = inspection.inspectSelection(editor);
    await Promise.all([first, inspection.inspectSelection(editor)]);
    const { id } = traceOf(inspection.snapshot.status);
    await inspection.inspectSelection(editor);
    assert.equal(traceOf(inspection.snapshot.status).id, id);
    // The same range, but as the text up to the caret.
    editor.selection = new vscode.Selection(0, 14, 0, 14);
    await inspection.inspectSelection(editor);
    const upToCaret = traceOf(inspection.snapshot.status).id;
    assert.notEqual(upToCaret, id);
    await editor.edit((edit) => edit.replace(new vscode.Range(0, 0, 0, 4), 'nine'));
    editor.selection = new vscode.Selection(0, 14, 0, 14);
    await inspection.inspectSelection(editor);
    assert.notEqual(traceOf(inspection.snapshot.status).id, upToCaret);
    assert.equal(inspection.snapshot.passage?.text, 'nine six seven');
  });

  it('reads again what is on the screen where texts are read otherwise by now', async () => {
    const { engine, inspection } = await headlight();
    const editor = await openText('eight nine ten');
    editor.selection = selectAll(editor);
    const { id } = traceOf(await inspect(editor));
    engine.readAgain();
    await inspection.inspectSelection(editor);
    assert.notEqual(traceOf(inspection.snapshot.status).id, id);
  });

  it('follows the selection while the panel is there, and stays while it is pinned', async () => {
    const { inspection } = await headlight();
    const editor = await openText('one two three\nfour five six');
    editor.selection = new vscode.Selection(0, 0, 0, 3);
    traceOf(await inspect(editor));
    editor.selection = new vscode.Selection(1, 0, 1, 9);
    await until('the panel to follow', () => inspection.trace?.tokens.length === 2 && !inspection.working);
    assert.equal(inspection.snapshot.passage?.text, 'four five');
    inspection.following = false;
    try {
      await until('the pin', () => !inspection.snapshot.following);
      editor.selection = new vscode.Selection(0, 4, 0, 7);
      await pause(800);
      assert.equal(inspection.snapshot.passage?.text, 'four five');
    } finally {
      inspection.following = true;
      await until('the pin to be undone', () => inspection.snapshot.following);
    }
  });

  it('says that the passage was edited, and moves along with edits before it', async () => {
    const { inspection } = await headlight();
    const editor = await openText('zero\none two three');
    editor.selection = new vscode.Selection(1, 0, 1, 13);
    traceOf(await inspect(editor));
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), 'more\n'));
    await until('the edit', () => inspection.snapshot.passage?.firstLine === 3);
    assert.equal(inspection.snapshot.passage?.edited, false);
    assert.deepEqual(inspection.locate(0)?.range.start, new vscode.Position(2, 0));
    await editor.edit((edit) => edit.insert(new vscode.Position(2, 5), 'X'));
    await until('the edit', () => inspection.snapshot.passage?.edited === true);
    assert.equal(inspection.locate(0), null);
  });

  it('survives an edit and the end of the document while the model runs', async () => {
    const { inspection } = await headlight();
    for (const disturb of [
      (editor: vscode.TextEditor) => editor.edit((edit) => edit.replace(new vscode.Range(3, 0, 5, 0), 'gone')),
      () => vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor'),
    ]) {
      const editor = await openText(LONG);
      editor.selection = selectAll(editor);
      const run = inspection.inspectSelection(editor);
      await until('the run', () => inspection.working);
      await disturb(editor);
      await run;
      traceOf(inspection.snapshot.status);
      assert.equal(inspection.snapshot.passage?.edited, true);
    }
  });

  it('inserts at the end of the passage and inspects both', async () => {
    const { inspection } = await headlight();
    const editor = await openText('one two');
    editor.selection = selectAll(editor);
    const { id } = traceOf(await inspect(editor));
    await inspection.insertAtEnd(id, ' three');
    assert.equal(editor.document.getText(), 'one two three');
    assert.equal(inspection.snapshot.passage?.text, 'one two three');
    assert.deepEqual(editor.selection, new vscode.Selection(0, 0, 0, 13));
  });
});

describe('the engine', () => {
  afterEach(closeAll);

  it('starts only when it is needed', async () => {
    const { engine } = await headlight();
    engine.restart();
    await openText('one two three');
    await pause(300);
    assert.equal(engine.modelProcessId, undefined);
  });

  it('costs one message when it is killed in mid-run, and the next request works', async function () {
    if (process.platform === 'win32') {
      // No process can be made to stand still there.
      this.skip();
    }
    const { engine, inspection } = await headlight();
    traceOf(await inspectText('one two three'));
    const victim = engine.modelProcessId;
    assert.ok(victim !== undefined);
    const seen: PanelStatus['kind'][] = [];
    const messages = new Set<string>();
    const subscription = inspection.onDidChange(() => {
      const { status } = inspection.snapshot;
      if (seen.at(-1) !== status.kind) {
        seen.push(status.kind);
      }
      if (status.kind === 'failed') {
        messages.add(status.message);
      }
    });
    try {
      // Standing still, so that the run is surely under way when the process dies.
      process.kill(victim, 'SIGSTOP');
      const editor = await openText(LONG);
      editor.selection = selectAll(editor);
      const run = inspection.inspectSelection(editor);
      await until('the run', () => inspection.working);
      await pause(200);
      process.kill(victim, 'SIGKILL');
      await run;
      await pause(500);
      assert.deepEqual(seen, ['working', 'failed']);
      assert.equal(messages.size, 1);
      const { status } = inspection.snapshot;
      assert.ok(status.kind === 'failed' && status.code === 'engine-stopped');
      traceOf(await inspect(editor));
    } finally {
      subscription.dispose();
    }
    assert.ok(engine.modelProcessId !== undefined && engine.modelProcessId !== victim);
  });

  it('computes what is on the screen again when it dies while idle', async () => {
    const { engine, inspection } = await headlight();
    const before = traceOf(await inspectText('one two three'));
    const victim = engine.modelProcessId;
    assert.ok(victim !== undefined);
    process.kill(victim, 'SIGKILL');
    await until('another process', () => engine.modelProcessId !== undefined && engine.modelProcessId !== victim);
    await until('another trace', () => inspection.trace !== null && inspection.trace !== before);
    assert.equal(inspection.trace?.tokens.length, before.tokens.length);
  });
});
