import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { EmbeddingView } from '../../src/protocol/stages';
import { keepEvidence } from './evidence';
import { PanelPage } from './panel-page';
import { Workbench } from './workbench';

/** Exports of tiny models; their vocabulary has capitals and the space. */
const GOLDEN = path.resolve('test/parity/golden/models');
const TEXT = 'TO BE OR NOT TO BE';
const TOLERANCE = 1e-4;

describe('where a token stands, in the panel', () => {
  let workbench: Workbench | null = null;

  keepEvidence(() => workbench);

  afterEach(async () => {
    await workbench?.close();
    workbench = null;
  });

  /** Opens the section on a model, chooses a token by mouse or by keys, and says what the engine says of it. */
  async function shown(name: string, token: number, by: 'mouse' | 'keys'): Promise<[PanelPage, EmbeddingView]> {
    const directory = path.join(GOLDEN, name);
    workbench = await Workbench.open({
      name: `positions-${name}`,
      settings: { 'headlight.model': directory },
      viewport: { width: 1500, height: 1250 },
      fill: (folder) => writeFileSync(path.join(folder, 'capitals.txt'), `${TEXT}\n`),
    });
    await workbench.openFile('capitals.txt');
    await workbench.selectLines(1, 1);
    await workbench.runCommand('Headlight: Inspect Selection');
    const panel = new PanelPage(await workbench.panel());
    await panel.shows('capitals.txt:1');
    const title = panel.frame.getByRole('button', { name: 'Embedding and position', exact: true });
    if (by === 'mouse') {
      await title.click();
      await panel.frame.locator(`[data-token-index="${token}"]`).first().click();
    } else {
      await title.press('Enter');
      await panel.frame.getByRole('listbox', { name: 'Tokens of the passage' }).focus();
      await workbench.page.keyboard.press('Home');
      for (let at = 0; at < token; at++) {
        await workbench.page.keyboard.press('ArrowRight');
      }
      await workbench.page.keyboard.press('Enter');
    }
    await panel.frame.locator('[data-section=embedding] .subtitle', { hasText: `#${token}` }).waitFor();
    await title.evaluate((element) => element.scrollIntoView({ block: 'start' }));
    const matrix = panel.frame.locator('.matrix');
    const [layer, head] = [await matrix.getAttribute('data-layer'), await matrix.getAttribute('data-head')].map(Number);
    const inspector = await Inspector.open({ directory, device: 'cpu' });
    try {
      const { id: traceId, tokens } = await inspector.trace(TEXT);
      assert.ok(tokens.length > token);
      return [panel, await inspector.stages.embedding({ traceId, token, layer, head })];
    } finally {
      await inspector.dispose();
    }
  }

  it('is a turn of queries and keys (RoPE), chosen by keys', async () => {
    const [{ frame }, { rotary, steps }] = await shown('llama-torch-onnx-traced-cache', 5, 'keys');
    assert.ok(rotary !== null);
    await frame.locator('[data-rotary="k turned"]').waitFor();
    const angle = (at: number) => frame.locator('[data-angle]').nth(at).getAttribute('data-angle');
    for (const [pair, expected] of rotary.angles.entries()) {
      const value = Number(await angle(pair));
      assert.ok(Math.abs(value - expected) < TOLERANCE, `pair ${pair}: ${value} is not ${expected}`);
    }
    const lengths = { 'q before': rotary.queryBefore, 'q turned': rotary.queryAfter, 'k before': rotary.keyBefore };
    for (const [name, vector] of Object.entries({ ...lengths, 'k turned': rotary.keyAfter })) {
      const length = Number(await frame.locator(`[data-rotary="${name}"]`).getAttribute('data-length'));
      assert.ok(Math.abs(length - Math.hypot(...vector)) < TOLERANCE, name);
    }
    assert.equal(await frame.locator('[data-embedding]').count(), steps.length);
    assert.equal(await frame.locator('[data-alibi]').count(), 0);
    await workbench!.screenshot('rotation');
  });

  it("is a head's slope (ALiBi), chosen by mouse", async () => {
    const [{ frame }, { alibiSlope }] = await shown('bloom-torch-onnx-traced', 7, 'mouse');
    const slope = Number(await frame.locator('[data-alibi]').getAttribute('data-alibi'));
    assert.ok(alibiSlope !== null && Math.abs(slope - alibiSlope) < TOLERANCE, `${slope} is not ${alibiSlope}`);
    assert.equal(await frame.locator('[data-rotary]').count(), 0);
    await workbench!.screenshot('slope');
  });
});
