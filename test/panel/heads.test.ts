import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { HeadScores } from '../../src/protocol/heads';
import type { Trace } from '../../src/protocol/trace';
import { PanelPage } from './panel-page';
import { Workbench } from './workbench';

const INSPECT = 'Headlight: Inspect Selection';
/** Two runs of the same model over the same text may share out their sums differently. */
const TOLERANCE = 1e-4;

describe('the heads in the panel', () => {
  let workbench: Workbench;
  let inspector: Inspector;
  let trace: Trace;
  let scores: HeadScores;

  before(async () => {
    inspector = await Inspector.open({ directory: path.join(root, 'models', 'headlight-small'), device: 'cpu' });
    workbench = await Workbench.open({ name: 'heads', viewport: { width: 2200, height: 1250 } });
    await workbench.openFile('greet.ts');
    await workbench.selectLines(10, 16);
    await workbench.runCommand(INSPECT);
    await (await panel()).shows('greet.ts:10–16');
    const text = readFileSync(path.join(workbench.folder, 'greet.ts'), 'utf8').split('\n').slice(9, 16).join('\n');
    trace = await inspector.trace(text);
    scores = await inspector.headScores({ traceId: trace.id });
  });

  after(async () => {
    await inspector?.dispose();
    await workbench?.close();
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') {
      await workbench?.screenshot(`failed-${this.currentTest.title.replace(/\W+/g, '-')}`);
    }
  });

  const panel = async () => new PanelPage(await workbench.panel());
  const open = async (title: string) => {
    const button = (await panel()).frame.getByRole('button', { name: title, exact: true });
    if ((await button.getAttribute('aria-expanded')) === 'false') {
      await button.press('Enter');
    }
    await button.evaluate((element) => element.scrollIntoView({ block: 'start' }));
  };
  const listed = async () =>
    (await panel()).frame
      .locator('[data-scored-head]')
      .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.scoredHead!));
  const indexOf = (name: string) => {
    const [layer, head] = name.split('.').map(Number);
    return layer * scores.heads + head;
  };
  const isSorted = (values: readonly number[]) => values.every((value, at) => at === 0 || values[at - 1] >= value);

  it("lists every head with the engine's own scores, the strongest at induction first", async () => {
    const { frame } = await panel();
    await open('Heads');
    await frame.locator('[data-scored-head]').first().waitFor();
    await frame.locator('[data-section=heads] .button', { hasText: 'more' }).click();
    const names = await listed();
    assert.equal(new Set(names).size, scores.layers * scores.heads);
    assert.ok(isSorted(names.map((name) => scores.repeated.induction[indexOf(name)])));
    for (const text of ['repeated', 'control', 'passage'] as const) {
      for (const score of ['previous', 'induction', 'duplicate', 'first'] as const) {
        const shown = await frame
          .locator(`[data-score="${score}.${text}"]`)
          .evaluateAll((cells) => cells.map((cell) => Number((cell as HTMLElement).dataset.value)));
        for (const [at, name] of names.entries()) {
          const expected = scores[text][score][indexOf(name)];
          assert.ok(Math.abs(shown[at] - expected) < TOLERANCE, `${name} ${score}.${text}: ${shown[at]}, ${expected}`);
        }
      }
    }
    await workbench.screenshot('table');
  });

  it('sorts by mouse and by keyboard', async () => {
    const { frame } = await panel();
    const heading = (name: string) => frame.getByRole('button', { name, exact: true });
    await heading('Sort by previous on random tokens that repeat').click();
    assert.ok(isSorted((await listed()).map((name) => scores.repeated.previous[indexOf(name)])));
    const byControl = heading('Sort by first token at the same places where no token repeats');
    await byControl.press('Enter');
    assert.ok(isSorted((await listed()).map((name) => scores.control.first[indexOf(name)])));
    await byControl.press('Enter');
    assert.ok(isSorted((await listed()).map((name) => -scores.control.first[indexOf(name)])));
    assert.equal(await frame.locator('.head-table [aria-sort=ascending]').count(), 1);
    await heading('Sort by layer and head').press(' ');
    const all = Array.from({ length: scores.layers * scores.heads }, (_, at) => at);
    assert.deepEqual((await listed()).map(indexOf), all);
  });

  it('chooses a head by a click and by Enter', async () => {
    const { frame } = await panel();
    await frame.locator('[data-scored-head="2.5"] [data-score="first.passage"]').click();
    await frame.locator('.matrix[data-layer="2"][data-head="5"]').waitFor();
    const name = frame.locator('[data-scored-head="2.5"] th button');
    assert.equal(await name.getAttribute('aria-pressed'), 'true');
    await name.focus();
    await workbench.page.keyboard.press('ArrowDown');
    await workbench.page.keyboard.press('Enter');
    await frame.locator('.matrix[data-layer="2"][data-head="6"]').waitFor();
  });

  it('tags heads in the grid by the table, and says on which text a tag rests', async () => {
    const { frame } = await panel();
    const best = scores.repeated.induction.indexOf(Math.max(...scores.repeated.induction));
    const name = `${Math.floor(best / scores.heads)}.${best % scores.heads}`;
    const row = frame.locator(`[data-scored-head="${name}"]`);
    assert.equal(await row.locator('.head-kind').textContent(), 'ind');
    await row.locator('th button').click();
    const tag = frame.locator('.head-facts [data-tag]');
    await tag.and(frame.locator('[data-tag=ind]')).waitFor();
    assert.equal(await tag.getAttribute('data-seen-on'), 'random tokens');
    assert.match((await frame.locator('.head-grid').getAttribute('aria-label'))!, /, induction on random tokens$/);
    const inTable = await frame.locator('.head-table tbody .head-kind').allTextContents();
    const inGrid = await frame.locator('.head-grid-marks em').allTextContents();
    assert.deepEqual(inGrid.sort(), inTable.filter((kind) => kind !== '').sort());
  });

  it('is drawn whole in every theme, and in a narrow panel', async () => {
    const { frame } = await panel();
    for (const theme of ['light', 'high contrast', 'dark'] as const) {
      await workbench.setTheme(theme);
      await open('Attention');
      await workbench.screenshot(`grid-${theme.replaceAll(' ', '-')}`);
      await open('Heads');
      await workbench.screenshot(`table-${theme.replaceAll(' ', '-')}`);
    }
    await workbench.page.setViewportSize({ width: 1100, height: 1400 });
    await frame.locator('[data-arrangement=narrow]').waitFor();
    await frame.getByRole('radio', { name: 'previous', exact: true }).click();
    assert.ok(isSorted((await listed()).map((name) => scores.repeated.previous[indexOf(name)])));
    await open('Heads');
    await workbench.screenshot('table-narrow');
    const overflow = await frame.locator('main.panel').evaluate((main) => main.scrollWidth - main.clientWidth);
    assert.equal(overflow, 0, 'nothing is wider than the panel');
  });
});
