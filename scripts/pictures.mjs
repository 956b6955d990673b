// `npm run pictures`: the pictures of README and walkthrough, taken anew from the running product.
import path from 'node:path';
import { runMain } from './failure.mjs';
import { prepare } from './prepare.mjs';
import { showing } from './progress.mjs';
import { root } from './project.mjs';

/** A head that looks behind the last time that the token at hand was read: the passage has "one step at a time" twice. */
const HEAD = { layer: 1, head: 2 };
const WALKTHROUGH_WIDTH = 769;
const PASSAGE = { from: [10, 1], to: [16, 17] };

await runMain(async () => {
  await prepare();
  await showing('Pictures', takePictures);
  return 0;
});

async function takePictures() {
  const { openWorkbench } = await import('./workbench-page.mjs');
  const { NEWEST } = await import('./vscode-server.mjs');
  const { page, close } = await openWorkbench({
    ...{ name: 'pictures', release: NEWEST },
    machineSettings: { 'headlight.device': 'cpu' },
  });
  const shoot = (/** @type {string} */ name, /** @type {object} */ options = {}) =>
    page.screenshot({ path: path.join(root, 'media', `${name}.png`), ...options });
  try {
    await page.locator('.statusbar-item', { hasText: 'Headlight' }).waitFor({ timeout: 60_000 });
    await pick(page, 'Control+p', 'greet.ts', 'greet.ts');
    await page.locator('.tab.active', { hasText: 'greet.ts' }).waitFor();
    // The caret can be sent somewhere once the text is there, and the editor has the focus.
    await page.locator('.view-line', { hasText: 'interface Guest' }).click();
    await goTo(page, PASSAGE.from);
    await page.keyboard.press('Control+k');
    await page.keyboard.press('Control+b');
    await goTo(page, PASSAGE.to);
    await page.keyboard.press('Control+k');
    await page.keyboard.press('Control+k');
    await pick(page, 'F1', '>View: Toggle Primary Side Bar Visibility', 'View: Toggle Primary Side Bar Visibility');
    await pick(page, 'F1', '>Headlight: Inspect Selection', 'Headlight: Inspect Selection');
    const panel = await panelFrame(page);
    await panel.locator('.sections[aria-busy=false]').waitFor();
    const grid = panel.locator('[aria-roledescription="grid of heads"]');
    await grid.focus();
    await choose(grid, HEAD);
    await panel
      .locator(`[aria-roledescription="heat map"][data-layer="${HEAD.layer}"][data-head="${HEAD.head}"]`)
      .waitFor();
    await page.keyboard.press('Control+1');
    // Nothing is pointed at.
    await page.mouse.move(0, 0);
    await page.waitForTimeout(1_000);
    await shoot('panel-dark');
    await page.setViewportSize({ width: 1_600, height: 2_400 });
    await page.waitForTimeout(1_000);
    const header = await box(panel.locator('main.panel'));
    const clip = async (/** @type {string} */ section, /** @type {number} */ height) => {
      const { y } = await box(panel.locator(`[data-section=${section}]`));
      return { clip: { x: header.x, y, width: WALKTHROUGH_WIDTH, height } };
    };
    await shoot('walkthrough-inspect', { clip: { ...header, width: WALKTHROUGH_WIDTH, height: 300 } });
    await shoot('walkthrough-attention', await clip('attention', 640));
    await shoot('walkthrough-candidates', await clip('next', 520));
  } finally {
    await close();
  }
}

/**
 * @param {import('playwright-core').Locator} grid
 * @param {{ layer: number, head: number }} head
 */
async function choose(grid, { layer, head }) {
  for (const [axis, target, less, more] of /** @type {const} */ ([
    ['data-layer', layer, 'ArrowUp', 'ArrowDown'],
    ['data-head', head, 'ArrowLeft', 'ArrowRight'],
  ])) {
    for (;;) {
      const at = Number(await grid.getAttribute(axis));
      if (at === target) {
        break;
      }
      await grid.press(at > target ? less : more);
    }
  }
}

/**
 * @param {import('playwright-core').Page} page
 * @param {string} keys
 * @param {string} typed
 * @param {string} entry
 */
async function pick(page, keys, typed, entry) {
  await page.keyboard.press(keys);
  const widget = page.locator('.quick-input-widget');
  await widget.locator('input[type=text]').fill(typed);
  const label = page.locator('.label-name').getByText(entry, { exact: true });
  await widget.locator('.monaco-list-row').filter({ has: label }).first().click();
}

/**
 * @param {import('playwright-core').Page} page
 * @param {number[]} place line and column, from 1
 */
async function goTo(page, [line, column]) {
  await page.keyboard.press('Control+g');
  const input = page.locator('.quick-input-widget input[type=text]');
  await input.fill(`:${line}:${column}`);
  await page.keyboard.press('Enter');
  await input.waitFor({ state: 'hidden' });
  await page.locator('.statusbar-item', { hasText: `Ln ${line}, ` }).waitFor();
}

/**
 * @param {import('playwright-core').Page} page
 * @returns {Promise<import('playwright-core').Frame>}
 */
async function panelFrame(page) {
  for (;;) {
    for (const frame of page.frames()) {
      // A frame that is being replaced has none.
      if (
        await frame
          .locator('main.panel')
          .count()
          .catch(() => 0)
      ) {
        return frame;
      }
    }
    await page.waitForTimeout(100);
  }
}

/** @param {import('playwright-core').Locator} part */
async function box(part) {
  const found = await part.boundingBox();
  if (found === null) {
    throw new Error('A part of the panel is not on the screen');
  }
  return found;
}
