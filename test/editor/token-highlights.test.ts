import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { closeAll, headlight, openText, pause, until } from './session';

/** What the hovers at a place say. */
async function hoverText(document: vscode.TextDocument, line: number, character: number): Promise<string> {
  const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
    'vscode.executeHoverProvider',
    document.uri,
    new vscode.Position(line, character),
  );
  return hovers
    .flatMap((hover) => hover.contents)
    .map((content) => (typeof content === 'string' ? content : content.value))
    .join('\n');
}

describe('token highlights', () => {
  beforeEach(async () => {
    const { highlights, engine } = await headlight();
    engine.restart();
    if (!highlights.enabled) {
      await vscode.commands.executeCommand('headlight.toggleTokenHighlights');
    }
  });

  afterEach(async () => {
    const { highlights } = await headlight();
    if (highlights.enabled) {
      await vscode.commands.executeCommand('headlight.toggleTokenHighlights');
    }
    await closeAll();
  });

  it('need the tokenizer only', async () => {
    const { engine } = await headlight();
    const { document } = await openText('Hello world');
    await until('the hover', async () => (await hoverText(document, 0, 7)).includes('995'));
    assert.match(await hoverText(document, 0, 2), /15496/);
    assert.equal(engine.modelProcessId, undefined);
  });

  it('show all tokens that share a character', async () => {
    const { document } = await openText('wave 👋 now');
    await until('the hover', async () => (await hoverText(document, 0, 5)) !== '');
    const text = await hoverText(document, 0, 5);
    // 20 F0 9F 91 8B falls into " \u{f09f91}" and "\u{8b}" in this vocabulary.
    assert.match(text, /50169/);
    assert.match(text, /233/);
  });

  it('follow an edit', async () => {
    const editor = await openText('Hello world');
    await until('the hover', async () => (await hoverText(editor.document, 0, 2)).includes('15496'));
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), 'Oh. '));
    await until('the hover to follow', async () => (await hoverText(editor.document, 0, 7)).includes('18435'));
  });

  it('come at once in a file of a megabyte, wherever one looks', async () => {
    const editor = await openText('The lamp went out at ten past five.\n'.repeat(28_000));
    const far = new vscode.Range(20_000, 0, 20_000, 0);
    editor.revealRange(far, vscode.TextEditorRevealType.InCenter);
    await until('the hover', async () => (await hoverText(editor.document, 20_000, 5)) !== '');
    assert.match(await hoverText(editor.document, 20_000, 5), /20450/);
  });

  it('go with the command that brought them', async () => {
    const { document } = await openText('Hello world');
    await until('the hover', async () => (await hoverText(document, 0, 2)) !== '');
    await vscode.commands.executeCommand('headlight.toggleTokenHighlights');
    await pause(100);
    assert.equal(await hoverText(document, 0, 2), '');
  });
});
