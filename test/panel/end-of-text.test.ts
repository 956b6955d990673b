import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { GeneratedToken } from '../../src/protocol/continuation';
import { keepEvidence } from './evidence';
import { PanelPage } from './panel-page';
import { Workbench } from './workbench';

const LINES = [10, 16] as const;
const SAMPLER = { temperature: 0.8, topK: 40, topP: 0.9, minP: 0 };
/** Tokens that are written before the text ends, at least. */
const BEFORE_THE_END = 3;

describe('a text that the model ends', () => {
  let folder: string;
  let workbench: Workbench;
  /** What is written, the end token last. */
  let written: readonly GeneratedToken[];
  /** Tokens of the passage with what was written, but for the end token. */
  let insertedLength: number;

  before(async () => {
    // The model that comes with Headlight, but the token that it writes after a few others is its end token.
    folder = mkdtempSync(path.join(tmpdir(), 'headlight-ending-'));
    const model = path.join(folder, 'ending');
    cpSync(path.join(root, 'models', 'headlight-small'), model, { recursive: true });
    const lines = readFileSync(path.join(root, 'samples', 'greet.ts'), 'utf8').split('\n');
    const inspector = await Inspector.open({ directory: model, device: 'cpu' });
    try {
      const passage = lines.slice(LINES[0] - 1, LINES[1]).join('\n');
      const { id: traceId, tokens } = await inspector.trace(passage);
      const params = { traceId, keep: tokens.length, behind: [], untilLineEnd: false, withinMs: null };
      const grown = await inspector.continuation(
        { ...params, count: 40, sampler: SAMPLER, seed: 1, limit: 4 },
        (work) => work(),
      );
      const ids = grown.tokens.map(({ id }) => id);
      const end = ids.findIndex((id, at) => at >= BEFORE_THE_END && ids.indexOf(id) === at);
      assert.ok(end > 0, 'a token that was not written before');
      written = grown.tokens.slice(0, end + 1);
      const bytes = written.slice(0, -1).flatMap((token) => token.bytes);
      insertedLength = (await inspector.trace(passage + new TextDecoder().decode(Uint8Array.from(bytes)))).tokens
        .length;
    } finally {
      await inspector.dispose();
    }
    for (const name of ['config.json', 'generation_config.json']) {
      const file = path.join(model, name);
      const config = JSON.parse(readFileSync(file, 'utf8'));
      writeFileSync(file, JSON.stringify({ ...config, eos_token_id: written.at(-1)!.id }));
    }
    workbench = await Workbench.open({
      name: 'end-of-text',
      settings: { 'headlight.model': model },
      viewport: { width: 1500, height: 1250 },
    });
    await workbench.openFile('greet.ts');
    await workbench.selectLines(...LINES);
    await workbench.runCommand('Headlight: Inspect Selection');
    await (await panel()).shows('greet.ts:10–16');
  });

  after(async () => {
    await workbench?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  keepEvidence(() => workbench);

  const panel = async () => new PanelPage(await workbench.panel());
  const section = async () => (await panel()).frame.locator('[data-section=again]');
  const button = async (name: string) => (await section()).locator('vscode-button', { hasText: name });

  it('grows no further, by Continue', async () => {
    const { frame } = await panel();
    const title = frame.getByRole('button', { name: 'Again, token by token', exact: true });
    await title.click();
    await title.evaluate((element) => element.scrollIntoView({ block: 'start' }));
    await (await button('Continue')).click();
    const again = await section();
    await again.getByText('The model ended the text with its end token.').waitFor();
    const rows = await again
      .locator('[data-step]')
      .evaluateAll((all) => all.map((row) => row.getAttribute('data-token')));
    assert.deepEqual(
      rows.reverse().map(Number),
      written.map(({ id }) => id),
    );
    assert.equal(await (await button('Continue')).count(), 0);
    assert.equal(await (await button('Step')).count(), 0);
    assert.equal(await again.locator('.grown-caret').count(), 0);
    await workbench.screenshot('ended');
  });

  it('ends again after it was started over, step by step by keyboard', async () => {
    await (await button('Start over')).press('Enter');
    const { frame } = await panel();
    for (let count = 1; count <= written.length; count++) {
      await (await button('Step')).press('Enter');
      await frame.locator(`[data-grown="${count}"]`).waitFor();
    }
    await (await section()).getByText('The model ended the text with its end token.').waitFor();
    assert.equal(await (await button('Step')).count(), 0);
  });

  it('is written into the document without its end token', async () => {
    await (await button('Insert')).click();
    // What is selected, and with it the passage, is as much longer.
    const { frame } = await panel();
    await frame.locator('[data-chip=counts]', { hasText: `${insertedLength} tokens` }).waitFor();
  });
});
