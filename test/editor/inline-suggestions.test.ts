import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { StatusRequest } from '../../src/protocol/engine';
import type { SuggestParams } from '../../src/protocol/suggestion';
import { closeAll, headlight, openText, pause, traceOf, until } from './session';

const SETTINGS = 'headlight.inlineSuggestions';
/** The model of the tests knows this word. */
const UNFINISHED = 'import conso';
const { Invoke, Automatic } = vscode.InlineCompletionTriggerKind;
const PARAMS: Omit<SuggestParams, 'text'> = {
  ...{ extent: 'line', seed: 0, count: 1, confidenceFloor: 0, atLeast: 1 },
  ...{ sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 }, maxTokens: 32, windowTokens: 512, cacheBytes: 0 },
};

/** What is suggested at the end of an editor's document, or at a place in it. */
async function suggest(
  editor: vscode.TextEditor,
  triggerKind: vscode.InlineCompletionTriggerKind = Invoke,
  position = endOf(editor.document),
): Promise<vscode.InlineCompletionItem[]> {
  const { suggestions } = await headlight();
  const { token } = new vscode.CancellationTokenSource();
  const context = { triggerKind, selectedCompletionInfo: undefined } as unknown as vscode.InlineCompletionContext;
  return suggestions.provideInlineCompletionItems(editor.document, position, context, token);
}

function endOf(document: vscode.TextDocument): vscode.Position {
  return document.lineAt(document.lineCount - 1).range.end;
}

async function insertAtEnd(editor: vscode.TextEditor, text: string): Promise<void> {
  assert.ok(await editor.edit((edit) => edit.insert(endOf(editor.document), text)));
}

function putCaretAtEnd(editor: vscode.TextEditor): void {
  const end = endOf(editor.document);
  editor.selection = new vscode.Selection(end, end);
}

async function set(name: string, value: unknown): Promise<void> {
  await vscode.workspace.getConfiguration().update(`${SETTINGS}.${name}`, value, vscode.ConfigurationTarget.Global);
}

/** How often the model is asked for a suggestion meanwhile. */
async function requestsDuring(work: () => Promise<unknown>): Promise<number> {
  const { suggestions } = await headlight();
  const before = suggestions.requestCount;
  await work();
  return suggestions.requestCount - before;
}

/** How many tokens the model has read so far for suggestions, as its process counts them. */
async function readTokens(): Promise<number> {
  const { engine } = await headlight();
  return (await engine.ask(StatusRequest, {})).readTokens;
}

describe('inline suggestions', () => {
  beforeEach(async () => {
    // Other programs may keep this machine busy.
    await set('slowAfter', 60_000);
  });

  afterEach(async () => {
    for (const name of ['enabled', 'exclude', 'extent', 'confidenceFloor', 'slowAfter']) {
      await set(name, undefined);
    }
    await closeAll();
  });

  it('stay silent where they are off, and come when they are asked for', async () => {
    const editor = await openText(UNFINISHED);
    assert.equal(await requestsDuring(async () => assert.deepEqual(await suggest(editor, Automatic), [])), 0);
    const [own] = await suggest(editor, Invoke);
    assert.match(String(own.insertText), /^le/);
    assert.deepEqual(own.range, new vscode.Range(0, UNFINISHED.length, 0, UNFINISHED.length));
  });

  it('come by themselves in a language that is switched on, and in no other', async () => {
    await set('enabled', { '*': false, plaintext: true });
    const editor = await openText(UNFINISHED);
    assert.match(String((await suggest(editor, Automatic))[0].insertText), /^le/);
    const other = await vscode.workspace.openTextDocument({ content: UNFINISHED, language: 'javascript' });
    assert.deepEqual(await suggest(await vscode.window.showTextDocument(other), Automatic), []);
  });

  it('rest while they are paused', async () => {
    await set('enabled', { '*': true });
    const { suggestions } = await headlight();
    const editor = await openText(UNFINISHED);
    suggestions.togglePause();
    try {
      assert.deepEqual(await suggest(editor, Automatic), []);
      assert.notDeepEqual(await suggest(editor, Invoke), []);
    } finally {
      suggestions.togglePause();
    }
    assert.notDeepEqual(await suggest(editor, Automatic), []);
  });

  it('are the model’s own arg max, first of several', async () => {
    const { engine } = await headlight();
    await set('confidenceFloor', 0);
    const editor = await openText('The lamp went out at ten past five. Nobody had touched the');
    const items = await suggest(editor);
    const { token } = new vscode.CancellationTokenSource();
    const { suggestions } = await engine.suggest({ ...PARAMS, text: editor.document.getText() }, token);
    assert.equal(items[0]?.insertText, suggestions[0]?.text);
    assert.equal(new Set(items.map(({ insertText }) => insertText)).size, items.length);
  });

  it('cost nothing for what is typed as suggested, taken back, or gone back to', async () => {
    await set('enabled', { '*': true });
    await set('confidenceFloor', 0);
    const editor = await openText(UNFINISHED);
    const whole = String((await suggest(editor, Automatic))[0].insertText);
    const requests = await requestsDuring(async () => {
      await insertAtEnd(editor, whole[0]);
      assert.equal((await suggest(editor, Automatic))[0]?.insertText, whole.slice(1));
      await vscode.commands.executeCommand('undo');
      await until('the undo', async () => editor.document.getText() === UNFINISHED);
      assert.equal((await suggest(editor, Automatic))[0]?.insertText, whole);
    });
    assert.equal(requests, 0);
    await insertAtEnd(editor, '#');
    assert.equal(await requestsDuring(() => suggest(editor, Automatic)), 1);
  });

  it('have nothing decoded for keys that are typed as suggested, in the editor itself', async () => {
    await set('enabled', { '*': true });
    await set('confidenceFloor', 0);
    const editor = await openText(UNFINISHED);
    putCaretAtEnd(editor);
    const whole = String((await suggest(editor, Automatic))[0].insertText);
    const before = await readTokens();
    for (const key of whole.slice(0, -1)) {
      await vscode.commands.executeCommand('type', { text: key });
      // Longer than any wait for a pause in typing: the editor asks, and is answered.
      await pause(350);
    }
    assert.equal(editor.document.getText(), UNFINISHED + whole.slice(0, -1));
    assert.equal(await readTokens(), before);
    await vscode.commands.executeCommand('type', { text: '#' });
    await until('a key that was not suggested', async () => (await readTokens()) > before);
  });

  it('fall back to being asked for where the model is slow, and say so once', async () => {
    await set('enabled', { '*': true });
    await set('slowAfter', 0);
    const { suggestions } = await headlight();
    const said: string[] = [];
    const { showInformationMessage } = vscode.window;
    Object.assign(vscode.window, {
      showInformationMessage: (sentence: string) => {
        said.push(sentence);
        return Promise.resolve(undefined);
      },
    });
    const editor = await openText('One');
    try {
      for (const word of [' lamp', ' after', ' another']) {
        await insertAtEnd(editor, word);
        await suggest(editor, Automatic);
      }
      assert.equal(suggestions.isAutomaticIn('plaintext'), false);
      await insertAtEnd(editor, ' went');
      assert.equal(await requestsDuring(() => suggest(editor, Automatic)), 0);
      assert.equal(await requestsDuring(() => suggest(editor, Invoke)), 1);
    } finally {
      Object.assign(vscode.window, { showInformationMessage });
    }
    assert.equal(said.length, 1);
    assert.match(said[0], /^headlight-\S+ takes .+ s for a first token on this machine/);
  });

  it('end the request under way with the next key', async () => {
    await set('confidenceFloor', 0);
    const editor = await openText('The lamp went out at ten past five. Nobody had touched the');
    const source = new vscode.CancellationTokenSource();
    const { engine } = await headlight();
    const text = editor.document.getText();
    const long = engine.suggest({ ...PARAMS, text, extent: 'block', count: 4, maxTokens: 200 }, source.token);
    await until('it to be under way', async () => (await readTokens()) > 0);
    source.cancel();
    await assert.rejects(long, { code: 'cancelled' });
  });

  it('read the same stretch before the caret, however large the document is', async () => {
    const { engine } = await headlight();
    const line = 'The lamp went out at ten past five, and nobody had touched the switch.\n';
    const content = line.repeat(Math.ceil(10_000_000 / line.length)) + UNFINISHED;
    const editor = await openText(content);
    const texts: string[] = [];
    const { suggest: ask } = engine;
    engine.suggest = (params, cancellation) => {
      texts.push(params.text);
      return ask.call(engine, params, cancellation);
    };
    try {
      assert.notDeepEqual(await suggest(editor), []);
    } finally {
      engine.suggest = ask;
    }
    assert.equal(texts.length, 1);
    assert.ok(content.endsWith(texts[0]));
    // The setting's 512 tokens, and the steps in which its beginning moves.
    assert.ok(texts[0].length >= 8 * 512 && texts[0].length <= 10 * 512, `${texts[0].length} characters`);
  });

  it('come in documents that are not files of this machine, as in a remote or virtual workspace', async () => {
    const scheme = 'headlight-test';
    const provider = vscode.workspace.registerTextDocumentContentProvider(scheme, {
      provideTextDocumentContent: () => UNFINISHED,
    });
    try {
      const uri = vscode.Uri.parse(`${scheme}://elsewhere/notes.txt`);
      const editor = await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
      putCaretAtEnd(editor);
      assert.match(String((await suggest(editor))[0].insertText), /^le/);
      const secret = vscode.Uri.parse(`${scheme}://elsewhere/.env`);
      const excluded = await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(secret));
      assert.deepEqual(await suggest(excluded), []);
    } finally {
      provider.dispose();
    }
  });

  it('stay while they are typed where they were asked for', async () => {
    const editor = await openText(UNFINISHED);
    const whole = String((await suggest(editor, Invoke))[0].insertText);
    await insertAtEnd(editor, whole[0]);
    assert.equal((await suggest(editor, Automatic))[0]?.insertText, whole.slice(1));
  });

  it('never come in a selection, or in the middle of a word', async () => {
    const editor = await openText('import conso');
    editor.selection = new vscode.Selection(0, 0, 0, 6);
    assert.deepEqual(await suggest(editor), []);
    putCaretAtEnd(editor);
    assert.deepEqual(await suggest(editor, Invoke, new vscode.Position(0, 9)), []);
    assert.notDeepEqual(await suggest(editor), []);
  });

  it('never come in a document that is excluded', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'headlight-excluded-'));
    for (const [name, excluded] of [
      ['.env', true],
      ['deploy.key', true],
      ['notes.txt', false],
    ] as const) {
      const file = path.join(folder, name);
      writeFileSync(file, UNFINISHED);
      const editor = await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(file));
      putCaretAtEnd(editor);
      assert.equal((await suggest(editor)).length === 0, excluded, name);
    }
    await set('exclude', ['**/notes.*']);
    assert.deepEqual(await suggest(vscode.window.activeTextEditor!), []);
    rmSync(folder, { recursive: true });
  });

  it('leave line ends of Windows, tabs and emoji as they are', async () => {
    await set('confidenceFloor', 0);
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'headlight-crlf-')), 'crlf.txt');
    const content = 'a 😀 smile\r\n\tif (x) {\r\n\t\timport conso';
    writeFileSync(file, content);
    const editor = await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(file));
    rmSync(path.dirname(file), { recursive: true });
    putCaretAtEnd(editor);
    const [{ insertText }] = await suggest(editor);
    await insertAtEnd(editor, String(insertText));
    assert.equal(editor.document.getText(), content + insertText);
    assert.ok(!String(insertText).includes('\ufffd'));
  });

  it('take the place of what the editor has closed, where they end with it', async () => {
    const editor = await openText('f(x)');
    const items = await suggest(editor, Invoke, new vscode.Position(0, 3));
    for (const { insertText, range } of items) {
      const replaced = editor.document.getText(range);
      assert.equal(replaced, String(insertText).endsWith(')') ? ')' : '');
    }
  });

  it('say in a hover what they were made of', async () => {
    const editor = await openText(UNFINISHED);
    putCaretAtEnd(editor);
    await suggest(editor);
    const { suggestions } = await headlight();
    const hover = suggestions.provideHover(editor.document, endOf(editor.document));
    const text = hover?.contents.map((content) => (content as vscode.MarkdownString).value).join('\n') ?? '';
    // The token reaches back before the caret.
    assert.match(text, /\| ` ·?console ` \|/);
    assert.match(text, /runner-up/);
    assert.equal(suggestions.provideHover(editor.document, new vscode.Position(0, 2)), null);
  });

  it('are explained in the panel, marked there as not written yet', async () => {
    const { inspection, suggestions } = await headlight();
    const editor = await openText(UNFINISHED);
    putCaretAtEnd(editor);
    await set('enabled', { '*': true });
    const [{ insertText }] = await suggest(editor, Automatic);
    assert.equal(suggestions.allAtCaret().length, 1);
    await vscode.commands.executeCommand('headlight.explainSuggestion');
    const { passage, status } = inspection.snapshot;
    assert.equal(passage?.text, UNFINISHED + insertText);
    assert.equal(passage?.generatedFrom, UNFINISHED.length);
    assert.equal(inspection.locate(traceOf(status).tokens.length - 1), null);
    await inspection.insertAtEnd(traceOf(status).id, '!');
    assert.equal(editor.document.getText(), `${UNFINISHED}${insertText}!`);
    assert.equal(inspection.snapshot.passage?.generatedFrom, null);
  });
});
