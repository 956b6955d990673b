import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { HeadScores } from '../../src/protocol/heads';
import type { Trace } from '../../src/protocol/trace';
import { keepEvidence } from './evidence';
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

  keepEvidence(() => workbench);

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

  it('takes heads together', async () => {
    const { frame } = await panel();
    await open('Attention');
    const whole = { from: 0, to: trace.tokens.length };
    const matrix = frame.locator('.matrix');
    const layer = Number(await matrix.getAttribute('data-layer'));
    const query = trace.tokens.length - 1;
    for (const [name, combination] of [
      ['mean of the layer', 'layer-mean'],
      ['largest of all heads', 'model-max'],
      ['rollout to the layer', 'rollout'],
    ] as const) {
      await frame.getByLabel('Heads shown', { exact: true }).selectOption({ label: name });
      const { weights } = await inspector.combinedHeads({
        ...{ traceId: trace.id, layer, head: 0, queries: whole, keys: whole },
        ...{ resolution: trace.tokens.length, combination, units: null },
      });
      const expected = weights[query * trace.tokens.length + 5];
      await frame.locator('.attention-large:not(.is-stale)').waitFor();
      await matrix.focus();
      await moveTo(query, 5);
      const shown = Number(await frame.locator('.callout').getAttribute('data-weight'));
      assert.ok(Math.abs(shown - expected) < TOLERANCE, `${name}: ${shown} is not ${expected}`);
      await workbench.screenshot(combination);
    }
    await frame.getByLabel('Heads shown', { exact: true }).selectOption({ label: 'one head' });
  });

  it("merges tokens to words, lines and the editor's own symbols", async () => {
    const { frame } = await panel();
    const units = frame.getByLabel('Merge tokens to', { exact: true });
    const rows = async () => Number(await frame.locator('.matrix').getAttribute('data-rows'));
    await units.focus();
    const counts: number[] = [];
    for (const unit of ['word', 'line', 'symbol']) {
      await units.selectOption(unit);
      await frame.locator('.weight-legend', { hasText: 'tokens are merged' }).waitFor();
      await frame.locator('.attention-large:not(.is-stale)').waitFor();
      counts.push(await rows());
      await workbench.screenshot(`merged-${unit}`);
    }
    const lines = trace.tokens.filter(({ text }) => text.includes('\n')).length + 1;
    assert.ok(counts[0] < trace.tokens.length && counts[0] > lines, `${counts[0]} words`);
    assert.equal(counts[1], lines);
    assert.ok(counts[2] < lines, `${counts[2]} symbols`);
    await units.selectOption('token');
    await frame.locator(`.matrix[data-rows="${trace.tokens.length}"]`).waitFor();
  });

  /** Puts the crosshair of the matrix on a pair, by keyboard, from wherever it is. */
  async function moveTo(query: number, key: number): Promise<void> {
    const { frame } = await panel();
    const matrix = frame.locator('.matrix');
    await matrix.press('Home');
    const at = frame.locator('.callout[data-query]');
    await at.waitFor();
    for (let from = Number(await at.getAttribute('data-query')); from !== query; from += Math.sign(query - from)) {
      await matrix.press(from < query ? 'ArrowDown' : 'ArrowUp');
    }
    for (let step = 0; step < key; step++) {
      await matrix.press('ArrowRight');
    }
  }

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
