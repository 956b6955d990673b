import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { projectCache, root } from '../../scripts/project.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { Trace } from '../../src/protocol/trace';
import { cssColour, SURPRISAL_TOP } from '../../webview/render/colour-map';
import { keepEvidence } from './evidence';
import { PanelPage } from './panel-page';
import { Workbench } from './workbench';

const INSPECT = 'Headlight: Inspect Selection';
/** The sampler that the panel starts with. */
const SAMPLER = { temperature: 0.8, topK: 40, topP: 0.9, minP: 0 };
/** Two runs of the same model over the same text may share out their sums differently. */
const TOLERANCE = 1e-5;

describe('the panel', () => {
  let workbench: Workbench;
  let inspector: Inspector;

  before(async () => {
    inspector = await Inspector.open({ directory: path.join(root, 'models', 'headlight-small'), device: 'cpu' });
    workbench = await Workbench.open({ name: 'panel' });
  });

  after(async () => {
    await inspector?.dispose();
    await workbench?.close();
  });

  keepEvidence(() => workbench);

  const panel = async () => new PanelPage(await workbench.panel());
  const lines = (first: number, last: number) =>
    readFileSync(path.join(workbench.folder, 'greet.ts'), 'utf8')
      .split('\n')
      .slice(first - 1, last)
      .join('\n');

  describe('on lines 10–16 of greet.ts', () => {
    let trace: Trace;

    before(async () => {
      await workbench.openFile('greet.ts');
      await workbench.selectLines(10, 16);
      await workbench.runCommand(INSPECT);
      await (await panel()).shows('greet.ts:10–16');
      trace = await inspector.trace(lines(10, 16));
    });

    it('names the model, the device, the place and the counts', async () => {
      const page = await panel();
      assert.match(await page.text(page.chip('model')), /headlight-small/);
      assert.match((await page.chip('model').getAttribute('title')) ?? '', /\d+ layers · \d+ heads/);
      assert.match(await page.text(page.chip('device')), /^CPU(: .+)?$/);
      assert.match(await page.text(page.chip('counts')), new RegExp(`^${trace.tokens.length} tokens · 201 chars`));
      await workbench.screenshot('dark');
    });

    it('leaves the focus in the editor', async () => {
      const inEditor = await workbench.page.evaluate(() => document.activeElement?.closest('.monaco-editor') !== null);
      assert.ok(inEditor);
    });

    it('shows every token, and its readout under the pointer', async () => {
      const page = await panel();
      const { tokens, readout, frame } = page;
      const shown = await tokens.evaluateAll((elements) =>
        elements.map((each) => (each as HTMLElement).dataset.tokenIndex),
      );
      assert.deepEqual(
        [...new Set(shown.map(Number))].sort((a, b) => a - b),
        trace.tokens.map((token) => token.index),
      );
      const token = trace.tokens[5];
      await frame.locator(`[data-token-index="5"]`).first().hover();
      await frame.locator('[data-readout="5"]').waitFor();
      const text = await page.text(readout);
      assert.ok(text.includes(`id ${token.id}`), text);
      assert.ok(text.includes(`rank ${token.rank?.toLocaleString('en-US')}`), text);
    });

    it("shows the engine's own attention, by keyboard, and announces it", async () => {
      const page = await panel();
      const { matrix, callout, announcement } = page;
      await matrix.focus();
      await matrix.press('Home');
      await matrix.press('ArrowRight');
      await matrix.press('ArrowUp');
      await callout.waitFor();
      const { query, key, weight } = await callout.evaluate((element) => ({ ...(element as HTMLElement).dataset }));
      assert.deepEqual([Number(query), Number(key)], [trace.tokens.length - 2, 1]);
      const expected = await weightOf(await shownHead(), Number(query), Number(key));
      assert.ok(Math.abs(Number(weight) - expected) < TOLERANCE, `${weight} is not ${expected}`);
      assert.match(await page.text(announcement), new RegExp(`^#${query} .* → #1 `));
    });

    it('changes head and layer by keyboard', async () => {
      const { matrix, frame, callout } = await panel();
      const before = await shownHead();
      const layer = before.layer > 0 ? before.layer - 1 : 1;
      await matrix.press(before.layer > 0 ? '{' : '}');
      await frame.locator(`[aria-roledescription="heat map"][data-layer="${layer}"]`).waitFor();
      const { query, key, weight } = await callout.evaluate((element) => ({ ...(element as HTMLElement).dataset }));
      const expected = await weightOf({ layer, head: before.head }, Number(query), Number(key));
      assert.ok(Math.abs(Number(weight) - expected) < TOLERANCE, `${weight} is not ${expected}`);
    });

    it("lists the engine's own candidates", async () => {
      const expected = inspector.candidates({ traceId: trace.id, sampler: SAMPLER, limit: 5, seed: null }).candidates;
      const { candidates } = await panel();
      for (const [at, candidate] of expected.slice(0, 5).entries()) {
        const row = candidates.nth(at);
        assert.equal(Number(await row.getAttribute('data-token-id')), candidate.id);
        const raw = Number(await row.locator('.candidate-raw').getAttribute('data-value'));
        const sampled = Number(await row.locator('.candidate-after').getAttribute('data-value'));
        assert.ok(Math.abs(raw - candidate.probability) < TOLERANCE, `${raw} is not ${candidate.probability}`);
        assert.ok(Math.abs(sampled - candidate.samplerProbability) < TOLERANCE);
      }
    });

    it('walks the tokens by keyboard, and outlines in the editor the one that is pointed at', async () => {
      const page = await panel();
      const passage = page.frame.getByRole('listbox', { name: 'Tokens of the passage' });
      await passage.focus();
      await passage.press('Home');
      await page.frame.locator('[data-readout="0"]').waitFor();
      await passage.press('ArrowRight');
      await page.frame.locator('[data-readout="1"]').waitFor();
      await passage.press('End');
      await page.frame.locator(`[data-readout="${trace.tokens.length - 1}"]`).waitFor();
      const outlines = () =>
        workbench.page
          .locator('.monaco-editor .cdr')
          .evaluateAll((marks) => marks.filter((mark) => getComputedStyle(mark).borderTopStyle === 'solid').length);
      const pointed = trace.tokens.findIndex(({ text }) => /^\w+$/.test(text));
      await page.frame.locator(`[data-token-index="${pointed}"]`).first().hover();
      await until(async () => (await outlines()) === 1);
      await page.chip('model').hover();
      await until(async () => (await outlines()) === 0);
    });

    it('colours each token by its own surprisal', async () => {
      const page = await panel();
      await page.segment('Surprisal').click();
      for (const { index, surprisal } of trace.tokens) {
        const token = page.frame.locator(`[data-token-index="${index}"]`).first();
        const { colour, none } = await token.evaluate((element) => ({
          colour: (element as HTMLElement).style.backgroundColor,
          none: element.classList.contains('without-value'),
        }));
        assert.equal(none, surprisal === null);
        if (surprisal !== null) {
          assert.equal(colour, cssColour('surprisal', 'dark', surprisal / SURPRISAL_TOP));
        }
      }
    });

    it('samples over the whole vocabulary as it is told, by slider, field and seed', async () => {
      const page = await panel();
      const checks = async (sampler: typeof SAMPLER, seed: number | null) => {
        const expected = inspector.candidates({ traceId: trace.id, sampler, limit: 5, seed });
        const cut = page.frame.locator('[data-cut]');
        await page.frame.locator(`[data-cut="${expected.cut}"][data-kept="${expected.kept}"]`).waitFor();
        assert.match(await page.text(cut), new RegExp(`of ${expected.vocabSize.toLocaleString('en-US')} tokens`));
        for (const [at, { id, samplerProbability }] of expected.candidates.slice(0, 3).entries()) {
          const row = page.candidates.nth(at);
          // The cut may be the same under the settings before.
          await until(async () => {
            const after = Number(await row.locator('.candidate-after').getAttribute('data-value'));
            return Math.abs(after - samplerProbability) < TOLERANCE;
          });
          assert.equal(Number(await row.getAttribute('data-token-id')), id);
        }
        return expected;
      };
      const setting = (name: keyof typeof SAMPLER) => page.frame.locator(`[data-setting=${name}]`);
      const type = async (field: Locator, value: string) => {
        await field.click();
        // Not by Ctrl+A: the workbench does that a second time, a moment later, in the middle of what is typed.
        await field.selectText();
        await field.pressSequentially(value);
      };
      await setting('topP').getByRole('slider').fill('0.35');
      await checks({ ...SAMPLER, topP: 0.35 }, null);
      await type(setting('temperature').getByRole('textbox'), '1.7');
      await checks({ ...SAMPLER, topP: 0.35, temperature: 1.7 }, null);
      await type(setting('topP').getByRole('textbox'), '1');
      await type(setting('topK').getByRole('textbox'), '3');
      await checks({ ...SAMPLER, topP: 1, topK: 3, temperature: 1.7 }, null);
      await type(page.frame.getByRole('textbox', { name: 'seed' }), '11');
      const { draw } = await checks({ ...SAMPLER, topP: 1, topK: 3, temperature: 1.7 }, 11);
      await page.frame.locator(`[data-draw-rank="${draw!.candidate.rank}"][data-u="${draw!.u}"]`).waitFor();
      await page.frame.getByRole('button', { name: 'Sample' }).click();
      await page.frame.locator(`[data-draw-rank]:not([data-u="${draw!.u}"])`).waitFor();
      await type(page.frame.getByRole('textbox', { name: 'seed' }), '11');
      await page.frame.locator(`[data-u="${draw!.u}"]`).waitFor();
      for (const [name, value] of Object.entries(SAMPLER)) {
        await type(setting(name as keyof typeof SAMPLER).getByRole('textbox'), String(value));
      }
      await checks(SAMPLER, 11);
    });

    it('draws a head as lines, with the same numbers', async () => {
      const page = await panel();
      await page.segment('Lines').click();
      const diagram = page.frame.locator('[aria-roledescription="line diagram"]');
      await diagram.focus();
      await diagram.press('Home');
      await diagram.press('ArrowUp');
      const value = page.frame.locator('.line-value');
      await value.waitFor();
      const { query, key, weight } = await value.evaluate((element) => ({ ...(element as HTMLElement).dataset }));
      const expected = await weightOf(await shownHead(), Number(query), Number(key));
      assert.ok(Math.abs(Number(weight) - expected) < TOLERANCE, `${weight} is not ${expected}`);
      await workbench.screenshot('lines');
      await page.segment('Matrix').click();
      await page.matrix.waitFor();
    });

    it('hides the first token as a key, and nothing else', async () => {
      const page = await panel();
      const box = page.frame.getByRole('checkbox', { name: 'hide first-token sink' });
      const pixels = () =>
        page.matrix
          .locator('canvas')
          .first()
          .evaluate((element) => {
            const canvas = element as HTMLCanvasElement;
            const { data } = canvas.getContext('2d')!.getImageData(0, canvas.height - 4, canvas.width, 1);
            return Array.from({ length: data.length / 4 }, (_, x) => data.slice(4 * x, 4 * x + 3).join());
          });
      await page.matrix.focus();
      await page.matrix.press('Escape');
      const before = await pixels();
      await box.click();
      await until(async () => (await pixels()).join() !== before.join());
      const after = await pixels();
      const changed = before.flatMap((pixel, x) => (pixel === after[x] ? [] : [x]));
      // The canvas has the labels too, so that a cell is narrower than this.
      const cell = before.length / trace.tokens.length;
      assert.ok(Math.max(...changed) - Math.min(...changed) < cell, `the columns of pixels ${changed} changed`);
      await box.click();
      await until(async () => (await pixels()).join() === before.join());
    });

    it('follows a change of theme, live', async () => {
      const page = await panel();
      await page.segment('Rank').click();
      for (const theme of ['light', 'high contrast', 'high contrast light', 'dark'] as const) {
        await workbench.setTheme(theme);
        const kind = { dark: 'dark', light: 'light', 'high contrast': 'hc-dark', 'high contrast light': 'hc-light' }[
          theme
        ];
        await page.frame.locator(`main.panel[data-theme-kind="${kind}"]`).waitFor();
        await workbench.screenshot(theme.replaceAll(' ', '-'));
      }
    });

    it('is the same after it was hidden and shown again', async () => {
      const before = await shownHead();
      const checked = async () => (await panel()).segment('Rank').getAttribute('aria-checked');
      assert.equal(await checked(), 'true');
      await workbench.page.keyboard.press('Control+2');
      await workbench.quickOpen('story.md');
      await workbench.page.locator('.tab.active', { hasText: 'story.md' }).waitFor();
      await workbench.page.locator('.tab', { hasText: 'Headlight' }).click();
      await (await panel()).shows('greet.ts:10–16');
      assert.equal(await checked(), 'true');
      assert.deepEqual(await shownHead(), before);
      await workbench.page.keyboard.press('Control+2');
      await workbench.runCommand('View: Close Other Editors in Group');
    });

    it('puts a candidate at the end of the passage', async () => {
      const { candidates, frame } = await panel();
      const [{ text }] = inspector.candidates({ traceId: trace.id, sampler: SAMPLER, limit: 1, seed: null }).candidates;
      await candidates.first().hover();
      await candidates.first().getByRole('button', { name: 'Insert' }).click();
      await frame.locator('[data-chip=counts]', { hasText: `${trace.tokens.length + 1} tokens` }).waitFor();
      await (await panel()).shows('greet.ts:10–');
      const file = path.join(workbench.folder, 'greet.ts');
      const before = readFileSync(file, 'utf8');
      const end = before.split('\n').slice(0, 16).join('\n').length;
      await workbench.focusEditor();
      await workbench.runCommand('File: Save');
      await until(async () => readFileSync(file, 'utf8') === before.slice(0, end) + text + before.slice(end));
      await workbench.runCommand('Undo');
      await workbench.runCommand('File: Save');
      await until(async () => readFileSync(file, 'utf8') === before);
    });

    const shownHead = async () => {
      const { layer, head } = await (await panel()).headGrid.evaluate((element) => ({
        ...(element as HTMLElement).dataset,
      }));
      return { layer: Number(layer), head: Number(head) };
    };
    const weightOf = async ({ layer, head }: { layer: number; head: number }, query: number, key: number) => {
      const { weights } = await inspector.headMatrix({
        traceId: trace.id,
        layer,
        head,
        queries: { from: query, to: query + 1 },
        keys: { from: key, to: key + 1 },
        resolution: 1,
      });
      return weights[0];
    };
  });

  describe('and the selection', () => {
    it('follows it, until it is pinned', async () => {
      await workbench.openFile('greet.ts');
      await workbench.selectLines(18, 21);
      await (await panel()).shows('greet.ts:18–21');
      const { follow } = await panel();
      assert.equal(await follow.getAttribute('aria-pressed'), 'true');
      await follow.click();
      await (await panel()).frame.locator('[aria-label="Follow selection"][aria-pressed=false]').waitFor();
      await workbench.selectLines(3, 6);
      await workbench.page.waitForTimeout(1_500);
      const pinned = await panel();
      assert.equal(await pinned.text(pinned.chip('source')), 'greet.ts:18–21');
      await follow.click();
      await workbench.selectLines(10, 12);
      await (await panel()).shows('greet.ts:10–12');
    });
  });

  describe('and the engine', () => {
    it('says that it was killed in mid-run, and works again', async function () {
      if (process.platform === 'win32') {
        // No process can be made to stand still there.
        this.skip();
      }
      const victim = workbench.modelProcessId();
      process.kill(victim, 'SIGSTOP');
      await workbench.selectLines(18, 21);
      await (await panel()).frame.locator('.sections[aria-busy=true]').waitFor();
      process.kill(victim, 'SIGKILL');
      const { failure } = await panel();
      await failure.waitFor();
      assert.equal(await failure.count(), 1);
      assert.equal(await failure.getAttribute('data-failure'), 'engine-stopped');
      assert.equal(await workbench.toasts.count(), 0);
      await workbench.screenshot('engine-killed');
      await workbench.runCommand(INSPECT);
      await (await panel()).shows('greet.ts:18–21');
      assert.notEqual(workbench.modelProcessId(), victim);
    });
  });

  describe('on other passages', () => {
    it('says what of a long one was read', async () => {
      await workbench.openFile('long.py');
      await workbench.selectLines(1, 198);
      await (await panel()).shows('long.py:');
      const page = await panel();
      const notice = page.frame.locator('.notice', { hasText: 'were read' });
      assert.match(await page.text(notice), /The last 512 of [\d,]+ tokens were read/);
      await workbench.screenshot('long');
    });

    it('is walked by keyboard while the pointer rests on it, and follows the pointer once that moves', async () => {
      const { frame } = await panel();
      const passage = frame.getByRole('listbox', { name: 'Tokens of the passage' });
      await passage.focus();
      await passage.press('Home');
      const token = frame.locator('[data-token-index="30"]').first();
      await token.hover();
      await frame.locator('[data-readout="30"]').waitFor();
      // The passage scrolls to its end, under the pointer.
      await passage.press('End');
      await frame.locator('[data-readout="511"]').waitFor();
      await workbench.page.waitForTimeout(500);
      assert.equal(await frame.locator('[data-readout="511"]').count(), 1);
      const box = (await passage.boundingBox())!;
      await workbench.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await frame.locator('[data-readout="511"]').waitFor({ state: 'detached' });
    });

    it('marks the tokens that share a character', async () => {
      await workbench.openFile('chinese-and-emoji.md');
      await workbench.selectLines(1, 12);
      await (await panel()).shows('chinese-and-emoji.md:1–12');
      await workbench.screenshot('chinese-and-emoji');
    });

    it('fits a narrow window', async () => {
      await workbench.openFile('greet.ts');
      await workbench.selectLines(10, 16);
      await (await panel()).shows('greet.ts:10–16');
      await workbench.runCommand('View: Toggle Primary Side Bar Visibility');
      await workbench.page.setViewportSize({ width: 800, height: 1000 });
      await workbench.page.waitForTimeout(500);
      const { frame } = await panel();
      const overflow = await frame.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      await workbench.screenshot('narrow');
      assert.ok(overflow <= 0, `the page is ${overflow} px wider than the panel`);
    });
  });
});

describe('with a model whose attention is not found', () => {
  let workbench: Workbench;

  before(async () => {
    const folder = path.join(projectCache, 'panel-models', 'other-heads');
    cpSync(path.join(root, 'models', 'headlight-small'), folder, { recursive: true });
    const config = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));
    // 4 heads divide the width as well as the 8 of the graph do.
    writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ ...config, n_head: 4 }));
    workbench = await Workbench.open({ name: 'no-attention', settings: { 'headlight.model': folder } });
  });

  after(() => workbench?.close());

  it('says why in that section, and shows tokens and candidates', async () => {
    await workbench.openFile('greet.ts');
    await workbench.selectLines(10, 16);
    await workbench.runCommand(INSPECT);
    const panel = new PanelPage(await workbench.panel());
    await panel.shows('greet.ts:10–16');
    const section = panel.frame.locator('[data-section=attention]');
    assert.match(
      await panel.text(section.locator('.explanation')),
      /4 heads.* Tokens and candidates do not depend on it\.$/,
    );
    assert.equal(await panel.headGrid.count(), 0);
    assert.ok((await panel.tokens.count()) > 0);
    await workbench.screenshot('panel');
  });
});

describe('in a workspace that is not trusted', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await Workbench.open({
      name: 'untrusted',
      trusted: false,
      fill: (folder) => {
        mkdirSync(path.join(folder, '.vscode'));
        writeFileSync(
          path.join(folder, '.vscode', 'settings.json'),
          JSON.stringify({ 'headlight.model': '/tmp/a-model-that-the-workspace-wants' }),
        );
      },
    });
  });

  after(() => workbench?.close());

  it('the workspace does not choose the model', async () => {
    await workbench.page.locator('.statusbar-item', { hasText: 'Restricted Mode' }).waitFor();
    await workbench.openFile('greet.ts');
    await workbench.selectLines(10, 16);
    await workbench.runCommand(INSPECT);
    const panel = new PanelPage(await workbench.panel());
    await panel.shows('greet.ts:10–16');
    assert.match(await panel.text(panel.chip('model')), /headlight-small/);
    await workbench.screenshot('panel');
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, 'It did not come to that');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
