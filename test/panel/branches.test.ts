import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { artifacts } from '../../scripts/project.mjs';
import { keepEvidence } from './evidence';
import { PanelPage } from './panel-page';
import { Workbench } from './workbench';

const TEXT = 'The lamp went out at ten past five. Nobody had touched the lamp';

describe('branches in the workbench', () => {
  let workbench: Workbench;
  let panel: PanelPage;

  before(async () => {
    workbench = await Workbench.open({
      name: 'branches',
      fill: (folder) => writeFileSync(path.join(folder, 'lamp.txt'), TEXT),
    });
    await workbench.openFile('lamp.txt');
    await workbench.selectLines(1, 1);
    await workbench.runCommand('Headlight: Inspect Selection');
    panel = new PanelPage(await workbench.panel());
    await panel.shows('lamp.txt');
  });

  after(() => workbench?.close());

  keepEvidence(() => workbench);

  const ways = (kind?: string): Locator => panel.frame.locator(kind ? `[data-way=${kind}]` : '[data-way]');
  const shownWay = (): Locator => panel.frame.locator('[data-way=branch].is-shown');
  const source = () => panel.text(panel.chip('source'));

  /** Until the panel shows something else than before, and all of it. */
  async function settles(work: () => Promise<unknown>): Promise<void> {
    const before = await panel.frame.locator('main.panel').getAttribute('data-trace');
    await work();
    await panel.frame.locator(`main.panel:not([data-trace="${before}"])`).waitFor();
    await panel.frame.locator('.sections[aria-busy=false]').waitFor();
  }

  async function passageText(): Promise<string> {
    return (await panel.frame.locator('.line-text').allTextContents()).join('\n').replaceAll('·', ' ');
  }

  it('begin at a candidate for the next token, and become the passage that the panel shows', async () => {
    const token = await panel.candidates.nth(1).getAttribute('data-token-id');
    const raw = Number(await panel.candidates.nth(1).locator('.candidate-raw').getAttribute('data-value'));
    await panel.candidates.nth(1).locator('.icon-button').first().focus();
    await settles(() => workbench.page.keyboard.press('Shift+Enter'));
    await workbench.screenshot('explored');
    assert.match(await source(), /\+ branch$/);
    assert.equal(await shownWay().getAttribute('data-way-token'), token);
    assert.ok(Math.abs(Number(await shownWay().getAttribute('data-probability')) - raw) < 1e-6);
    const written = (await passageText()).trimEnd();
    assert.ok(written.startsWith(TEXT) && written.length > TEXT.length, written);
    assert.ok((await panel.frame.locator('.generated').count()) > 0);
  });

  it('part from another branch at the token that is pinned in it', async () => {
    const first = await shownWay().getAttribute('data-way-token');
    const token = panel.frame.locator('.generated[data-token-index]').nth(2);
    const position = await token.getAttribute('data-token-index');
    await token.click();
    await panel.frame.locator(`[data-place="${position}"]`).waitFor();
    const candidate = ways('candidate').first();
    const chosen = await candidate.getAttribute('data-way-token');
    await settles(() => candidate.click());
    assert.equal(await shownWay().getAttribute('data-way-token'), chosen);
    assert.equal(await shownWay().getAttribute('aria-level'), '2');
    assert.deepEqual(await tokensOf(ways('branch')), [first, chosen]);
    // The pinned token is the chosen one.
    assert.equal(await panel.frame.locator('.is-pinned').first().getAttribute('data-token-index'), position);
    await picture('nested');
  });

  it('stand side by side with what the passage has, also in the middle of it', async () => {
    await panel.frame.locator('[data-token-index="5"]').first().click();
    await panel.frame.locator('[data-place="5"]').waitFor();
    const standing = panel.frame.locator('[data-way=standing][aria-level="1"]').first();
    assert.match((await standing.getAttribute('aria-label')) ?? '', /^at 5: ·ten.*as it stands$/);
    await settles(() => ways('candidate').first().click());
    const text = await passageText();
    assert.ok(text.startsWith('The lamp went out at') && !text.startsWith('The lamp went out at ten'), text);
    assert.equal(await ways('branch').count(), 3);
    await picture('three');
  });

  it('are walked and shown with the keyboard alone', async () => {
    await shownWay().focus();
    await workbench.page.keyboard.press('Home');
    const focused = panel.frame.locator('[data-way]:focus');
    const level = () => focused.getAttribute('aria-level');
    // Down to the branch in a branch, and back to the one that it is in.
    while ((await level()) !== '2') {
      await workbench.page.keyboard.press('ArrowDown');
    }
    await workbench.page.keyboard.press('ArrowLeft');
    assert.equal(await level(), '1');
    await picture('focus');
    const token = await focused.getAttribute('data-way-token');
    await settles(() => workbench.page.keyboard.press('Shift+Enter'));
    assert.equal(await shownWay().getAttribute('data-way-token'), token);
    assert.ok((await passageText()).startsWith(TEXT));
  });

  it('are there again after the panel was hidden, and after the window was loaded anew', async () => {
    // The panel of an attempt before is gone.
    panel = new PanelPage(await workbench.panel());
    const tree = await tokensOf(ways('branch'));
    const shown = await shownWay().getAttribute('data-way-token');
    const text = await passageText();
    const same = async () => {
      panel = new PanelPage(await workbench.panel());
      await panel.shows('lamp.txt');
      await shownWay().waitFor();
      assert.deepEqual(await tokensOf(ways('branch')), tree);
      assert.equal(await shownWay().getAttribute('data-way-token'), shown);
      assert.equal(await passageText(), text);
    };
    await workbench.page.keyboard.press('Control+2');
    await workbench.quickOpen('README.md');
    await workbench.page.locator('.tab.active', { hasText: 'README.md' }).waitFor();
    await panelIsGone();
    await workbench.page.locator('.tab', { hasText: 'Headlight' }).first().click();
    await same();
    await workbench.page.reload();
    await workbench.statusBar.waitFor({ timeout: 60_000 });
    // The workbench keeps only now and then which tab was in front.
    await workbench.page.locator('.tab', { hasText: 'Headlight' }).first().click();
    await same();
  });

  it('are drawn whole in every theme, and in a narrow panel', async () => {
    for (const theme of ['light', 'high contrast', 'high contrast light', 'dark'] as const) {
      await workbench.setTheme(theme);
      await picture(theme);
    }
    const { width, height } = workbench.page.viewportSize()!;
    await workbench.page.setViewportSize({ width: 1100, height });
    await picture('narrow');
    await workbench.page.setViewportSize({ width, height });
  });

  it('are written into the document, in one step', async () => {
    const written = ((await passageText()) as string).trimEnd();
    await shownWay().focus();
    await workbench.page.keyboard.press('Enter');
    await panel.chip('source').filter({ hasNotText: 'branch' }).waitFor();
    await workbench.focusEditor();
    const line = workbench.page.locator('.editor-group-container').first().locator('.view-line').first();
    assert.equal((await panel.text(line)).replaceAll('\u00a0', ' ').trimEnd(), written);
    assert.equal(await ways('branch').count(), 0);
    await workbench.page.keyboard.press('Control+z');
  });

  it('go with another passage', async () => {
    await workbench.selectLines(1, 1);
    await workbench.runCommand('Headlight: Inspect Selection');
    await panel.shows('lamp.txt:1');
    await ways('branch').first().waitFor({ state: 'detached' });
    await panel.candidates.nth(2).locator('.icon-button').last().click({ force: true });
    await shownWay().waitFor();
    await workbench.select({ line: 1, column: 1 }, { line: 1, column: 9 });
    await workbench.runCommand('Headlight: Inspect Selection');
    await ways('branch').first().waitFor({ state: 'detached' });
    assert.equal(await panel.tokens.count(), 2);
  });

  async function panelIsGone(): Promise<void> {
    while (!panel.frame.isDetached()) {
      await workbench.page.waitForTimeout(50);
    }
  }

  async function tokensOf(rows: Locator): Promise<(string | null)[]> {
    return rows.evaluateAll((elements) => elements.map((element) => element.getAttribute('data-way-token')));
  }

  /** Of the section alone, whole. */
  async function picture(what: string): Promise<void> {
    const section = panel.frame.locator('[data-section=branches]');
    await section.screenshot({ path: path.join(artifacts, `branches-section-${what}.png`) });
  }
});
