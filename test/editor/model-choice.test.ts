import assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import { closeAll, headlight, inspectText, traceOf, until } from './session';

const GOLDEN = path.resolve(__dirname, '../../../test/parity/golden/models');
const NEVER = new vscode.CancellationTokenSource().token;

describe('choice of a model', () => {
  afterEach(closeAll);

  it('keeps the old model in use where the new one cannot be loaded, or loading is cancelled', async () => {
    const { engine } = await headlight();
    const before = await engine.load();
    await assert.rejects(
      engine.replaceModel(path.join(GOLDEN, 'nowhere'), NEVER, () => {}),
      /no model folder/,
    );
    const source = new vscode.CancellationTokenSource();
    const cancelled = engine.replaceModel(path.join(GOLDEN, 'gpt2-torch-onnx-traced'), source.token, () =>
      source.cancel(),
    );
    await assert.rejects(cancelled, { code: 'cancelled' });
    assert.equal(engine.loaded, before);
    assert.equal(traceOf(await inspectText('one two three')).model.name, before.model.name);
  });

  it('loads another model in stages, and shows what was found in it', async () => {
    const { engine } = await headlight();
    const { directory } = (await engine.load()).model;
    const stages: string[] = [];
    const next = path.join(GOLDEN, 'llama-torch-onnx-traced-cache');
    try {
      const before = engine.modelProcessId;
      const { model } = await engine.replaceModel(next, NEVER, (stage) => stages.push(stage));
      assert.equal(model.architecture, 'llama');
      assert.deepEqual([...new Set(stages)], ['reading its files', 'finding its attention', 'starting it']);
      // The runtime keeps some of a model's memory: what gives all of it back is the end of its process.
      assert.ok(before !== undefined && engine.modelProcessId !== before);
      await until('the end of the process before', () => !isAlive(before));
      await vscode.commands.executeCommand('headlight.showModel');
      const isPage = (document: vscode.TextDocument) => document.uri.scheme === 'headlight-page';
      await until('the page about the model', () => vscode.workspace.textDocuments.some(isPage));
      const page = vscode.workspace.textDocuments.find(isPage)!.getText();
      assert.match(
        page,
        /### Layer 1\n\n`MatMul → .*Softmax.* → MatMul` · 2 query heads on 1 key head · a head is computed from queries and keys/,
      );
    } finally {
      await engine.replaceModel(directory, NEVER, () => {});
    }
  });

  it('describes a folder without loading it', async () => {
    const { engine } = await headlight();
    const { architecture, layers, heads, precision, graphFiles } = await engine.describe(
      path.join(GOLDEN, 'gpt2-dynamic-int8'),
    );
    assert.deepEqual(
      { architecture, layers, heads, precision },
      { architecture: 'gpt2', layers: 2, heads: 2, precision: 'int8' },
    );
    assert.equal(graphFiles.length, 1);
  });
});

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}
