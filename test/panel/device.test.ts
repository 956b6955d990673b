import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { softwareVulkan } from '../../scripts/software-vulkan.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import { keepEvidence } from './evidence';
import { PanelPage } from './panel-page';
import { Workbench } from './workbench';

const INSPECT = 'Headlight: Inspect Selection';
const SAMPLER = { temperature: 0.8, topK: 40, topP: 0.9, minP: 0 };
/** Of probabilities and attention weights, see docs/devices.md. */
const TOLERANCE = 1e-4;

describe('the device in the workbench', () => {
  let workbench: Workbench | undefined;

  const opened = () => workbench!;
  const panel = async () => new PanelPage(await opened().panel());

  keepEvidence(() => workbench);

  async function inspect(first: number, last: number): Promise<void> {
    await opened().openFile('greet.ts');
    await opened().selectLines(first, last);
    await opened().runCommand(INSPECT);
  }

  describe('without an adapter', () => {
    before(async function () {
      if (process.platform !== 'linux') {
        console.log('not run: adapters cannot be hidden from the runtime there');
        this.skip();
      }
      workbench = await Workbench.open({ name: 'no-adapter', env: { VK_ICD_FILENAMES: '/nowhere/icd.json' } });
      await inspect(10, 16);
      await (await panel()).shows('greet.ts:10–16');
    });
    after(async () => {
      await workbench?.close();
      workbench = undefined;
    });

    it('is the processor, and panel and status bar say why', async () => {
      const page = await panel();
      assert.equal(await page.text(page.chip('device')), 'CPU: no WebGPU adapter');
      await opened().statusBar.filter({ hasText: 'headlight-small · CPU: no WebGPU adapter · ' }).waitFor();
      // Nobody has asked for another one.
      assert.equal(await opened().toasts.count(), 0);
    });

    it('says so in every theme and in a narrow panel', async () => {
      for (const theme of ['light', 'high contrast', 'high contrast light', 'dark'] as const) {
        await opened().setTheme(theme);
        await opened().screenshot(theme.replaceAll(' ', '-'));
      }
      await opened().runCommand('View: Toggle Primary Side Bar Visibility');
      try {
        await opened().page.setViewportSize({ width: 800, height: 1000 });
        const { frame } = await panel();
        await frame.waitForFunction(() => innerWidth <= 420);
        await opened().screenshot('narrow');
        for (const chip of ['model', 'device', 'source'] as const) {
          const cut = await (await panel())
            .chip(chip)
            .evaluate((element) =>
              [element, ...element.children].some(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth),
            );
          assert.ok(!cut, `${chip} is cut off`);
        }
        const overflow = await frame.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `the page is ${overflow} px wider than the panel`);
      } finally {
        await opened().page.setViewportSize({ width: 1600, height: 1000 });
        await opened().runCommand('View: Toggle Primary Side Bar Visibility');
      }
    });

    it('is checked from the menu of the panel, on a page', async () => {
      const { frame } = await panel();
      await frame.getByRole('button', { name: 'More actions' }).click();
      await opened().screenshot('menu');
      await frame.getByRole('menuitem', { name: 'Check device…' }).click();
      await opened().choose('WebGPU', 'WebGPU');
      const page = await opened().preview('WebGPU cannot be used');
      assert.match((await page.textContent('body')) ?? '', /WebGPU cannot be used: no WebGPU adapter\./);
      await opened().screenshot('page');
    });
  });

  describe('on a software driver', () => {
    // One operator does all of its attention, and does not tell on WebGPU what it attends to. The model that comes with
    // Headlight takes such a driver minutes: test/devices has it.
    const model = path.join(root, 'test', 'parity', 'golden', 'models', 'llama-genai-builder-fp32');
    // In letters that its small vocabulary has.
    const text = 'A CAB FACED A BAD DECADE';
    let inspector: Inspector;

    before(async () => {
      const driver = await softwareVulkan();
      if ('reason' in driver) {
        throw new Error(driver.reason);
      }
      inspector = await Inspector.open({ directory: model, device: 'cpu' });
      workbench = await Workbench.open({
        name: 'webgpu',
        settings: { 'headlight.model': model },
        machineSettings: { 'headlight.device': 'webgpu' },
        env: driver.env,
        fill: (folder) => writeFileSync(path.join(folder, 'cat.md'), text),
      });
    });
    after(async () => {
      await inspector?.dispose();
      await workbench?.close();
      workbench = undefined;
    });

    it('is tried, and said to be, and used', async () => {
      await opened().openFile('cat.md');
      await opened().selectLines(1, 1);
      const tried = opened().statusBar.filter({ hasText: 'trying WebGPU…' }).waitFor();
      await opened().runCommand(INSPECT);
      const page = await panel();
      await page.chip('device').filter({ hasText: 'Trying WebGPU…' }).waitFor();
      await page.frame.getByRole('heading', { name: 'Trying WebGPU…' }).waitFor();
      await opened().screenshot('trying');
      await tried;
      await page.chip('source').filter({ hasText: 'cat.md:1' }).waitFor({ timeout: 80_000 });
      await page.shows('cat.md:1');
      assert.equal(await page.text(page.chip('device')), 'WebGPU');
      await opened().statusBar.filter({ hasText: 'llama-genai-builder-fp32 · WebGPU' }).waitFor();
      await opened().screenshot('used');
    });

    it('shows the processor’s trace: every weight of a head, surprisals and candidates', async () => {
      const trace = await inspector.trace(text);
      const page = await panel();
      const { matrix, candidates } = page;
      const shown = await matrix.evaluate((element) => ({ ...(element as HTMLElement).dataset }));
      const tokens = trace.tokens.length;
      const all = { from: 0, to: tokens };
      const { weights } = await inspector.headMatrix({
        ...{ traceId: trace.id, layer: Number(shown.layer), head: Number(shown.head) },
        ...{ queries: all, keys: all, resolution: tokens },
      });
      const lines = (await copied('Attention', 'Copy matrix as CSV')).split('\r\n').filter((line) => line !== '');
      const rows = lines.slice(-tokens).map((line) => line.split(',').slice(-tokens).map(Number));
      for (const [at, weight] of rows.flat().entries()) {
        near(weight, weights[at], `the weight of ${Math.floor(at / tokens)} on ${at % tokens}`);
      }
      const { tokens: read, device } = JSON.parse(await copied(null, 'Copy data as JSON'));
      assert.deepEqual(device, { device: 'webgpu', reason: null });
      for (const [index, { id, probability, rank }] of trace.tokens.entries()) {
        assert.equal(read[index].id, id);
        assert.equal(read[index].rank, rank);
        near(read[index].probability ?? 0, probability ?? 0, `the probability of token ${index}`);
      }
      const expected = inspector.candidates({ traceId: trace.id, sampler: SAMPLER, limit: 5, seed: null }).candidates;
      for (const [at, candidate] of expected.slice(0, 5).entries()) {
        const row = candidates.nth(at);
        assert.equal(Number(await row.getAttribute('data-token-id')), candidate.id);
        near(Number(await row.locator('.candidate-raw').getAttribute('data-value')), candidate.probability, 'raw');
      }
    });

    it('is checked, with what the operators took on the page', async () => {
      await opened().runCommand('Headlight: Check Device…');
      await opened().choose('WebGPU', 'WebGPU');
      const page = await opened().preview('WebGPU can be used', 80_000);
      const body = (await page.textContent('body')) ?? '';
      assert.match(body, /Adapter\s+SwiftShader/);
      assert.match(body, /Left to the processor\s+\d+ nodes?, [\d.]+ % of the time in operators/);
      assert.match(body, /GroupQueryAttention/);
      await opened().screenshot('page');
    });

    /** @param section whose menu it is; null for the panel's own */
    async function copied(section: string | null, label: string): Promise<string> {
      const { frame } = await panel();
      const name = section === null ? 'More actions' : `Copy or save: ${section}`;
      await opened().page.evaluate(() => navigator.clipboard.writeText(''));
      await frame.getByRole('button', { name, exact: true }).click();
      await frame.getByRole('menuitem', { name: label, exact: true }).click();
      const deadline = Date.now() + 15_000;
      for (;;) {
        const text = await opened().page.evaluate(() => navigator.clipboard.readText());
        if (text !== '') {
          return text;
        }
        assert.ok(Date.now() < deadline, `nothing came of ${label}`);
        await opened().page.waitForTimeout(50);
      }
    }
  });
});

function near(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= TOLERANCE, `${what} is ${actual}, on the processor ${expected}`);
}
