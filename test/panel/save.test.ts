import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { root } from '../../scripts/project.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { HeadMatrix, Trace } from '../../src/protocol/trace';
import type { About } from '../../webview/export/about';
import { keepEvidence } from './evidence';
import { PanelPage } from './panel-page';
import { Workbench } from './workbench';

/** Two runs of the same model over the same text may share out their sums differently. */
const TOLERANCE = 1e-4;
const LINES = [10, 16] as const;

describe('what sections show, copied and saved', () => {
  let workbench: Workbench;
  let inspector: Inspector;
  let trace: Trace;
  let text: string;

  before(async () => {
    inspector = await Inspector.open({ directory: path.join(root, 'models', 'headlight-small'), device: 'cpu' });
    workbench = await Workbench.open({ name: 'save', viewport: { width: 2200, height: 1250 } });
    await workbench.openFile('greet.ts');
    await workbench.selectLines(...LINES);
    await workbench.runCommand('Headlight: Inspect Selection');
    await (await panel()).shows('greet.ts:10–16');
    const lines = readFileSync(path.join(workbench.folder, 'greet.ts'), 'utf8').split('\n');
    text = lines.slice(LINES[0] - 1, LINES[1]).join('\n');
    trace = await inspector.trace(text);
  });

  after(async () => {
    await inspector?.dispose();
    await workbench?.close();
  });

  keepEvidence(() => workbench);

  const panel = async () => new PanelPage(await workbench.panel());
  const menuOf = async (section: string) =>
    (await panel()).frame.getByRole('button', { name: `Copy or save: ${section}`, exact: true });
  const item = async (label: string) => (await panel()).frame.getByRole('menuitem', { name: label, exact: true });

  /** Opens a section by keyboard and shows it at the top. */
  async function open(title: string): Promise<void> {
    const button = (await panel()).frame.getByRole('button', { name: title, exact: true });
    if ((await button.getAttribute('aria-expanded')) === 'false') {
      await button.press('Enter');
    }
    await button.evaluate((element) => element.scrollIntoView({ block: 'start' }));
  }

  /** Takes the place that the dialog proposes, and waits for the file. */
  async function confirm(name: string): Promise<Buffer> {
    const file = path.join(workbench.folder, name);
    const widget = workbench.page.locator('.quick-input-widget');
    const input = widget.locator('input[type=text]');
    await input.waitFor();
    // The dialog looks at the folder before it proposes a name there, and takes no answer until then.
    const deadline = Date.now() + 15_000;
    while ((await input.inputValue()) !== file) {
      assert.ok(Date.now() < deadline, `${await input.inputValue()} is proposed, not ${file}`);
      await workbench.page.waitForTimeout(20);
    }
    await widget.locator('.monaco-list-row').first().waitFor();
    await widget.getByRole('button', { name: 'OK', exact: true }).click();
    await (await panel()).announcement.filter({ hasText: `Saved ${name}.` }).waitFor();
    await input.waitFor({ state: 'hidden' });
    return readFileSync(file);
  }

  async function save(section: string, label: string, name: string): Promise<Buffer> {
    await (await menuOf(section)).click();
    await (await item(label)).click();
    return confirm(name);
  }

  /** The head on the screen, as the engine of the test computes it. */
  async function shownHead(): Promise<HeadMatrix> {
    const matrix = (await panel()).matrix;
    const [layer, head] = [await matrix.getAttribute('data-layer'), await matrix.getAttribute('data-head')].map(Number);
    const whole = { from: 0, to: trace.tokens.length };
    return inspector.headMatrix({
      ...{ traceId: trace.id, layer, head, queries: whole, keys: whole },
      resolution: trace.tokens.length,
    });
  }

  function isOfThePassage({ model, passage, settings }: About, expected: About['settings']): void {
    assert.deepEqual(
      [model.name, model.layers, model.heads],
      ['headlight-small', trace.model.layers, trace.model.heads],
    );
    assert.deepEqual(passage, {
      ...{ fileName: 'greet.ts', firstLine: LINES[0], lastLine: LINES[1], tokens: trace.tokens.length, text },
    });
    for (const [name, value] of Object.entries(expected)) {
      assert.deepEqual(settings[name], value, name);
    }
  }

  it('writes a matrix as CSV, chosen by mouse, with model, text and settings before it', async () => {
    await open('Attention');
    const { layer, head, weights } = await shownHead();
    await (await menuOf('Attention')).click();
    await workbench.screenshot('menu');
    await (await item('Save matrix as CSV…')).click();
    const lines = (await confirm('headlight-small-attention-matrix.csv')).toString('utf8').split('\r\n');
    const comments = new Map(
      lines
        .filter((line) => line.startsWith('# '))
        .map((line) => [line.slice(2, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
    );
    assert.equal(JSON.parse(comments.get('model.name')!), 'headlight-small');
    assert.equal(JSON.parse(comments.get('passage.text')!), text);
    assert.deepEqual(
      ['settings.layer', 'settings.head', 'settings.heads'].map((name) => JSON.parse(comments.get(name)!)),
      [layer, head, 'one'],
    );
    const rows = lines.slice(comments.size + 1).filter((line) => line !== '');
    assert.equal(rows.length, trace.tokens.length);
    for (const [query, row] of rows.entries()) {
      const values = row.split(',').slice(-trace.tokens.length).map(Number);
      for (const [key, value] of values.entries()) {
        const expected = weights[query * trace.tokens.length + key];
        assert.ok(Math.abs(value - expected) < TOLERANCE, `${query} → ${key}: ${value} is not ${expected}`);
      }
    }
  });

  it('writes a picture as SVG, chosen by keyboard', async () => {
    const { page } = workbench;
    const { layer, head } = await shownHead();
    const button = await menuOf('Attention');
    await button.press('Enter');
    const wanted = await item('Save matrix as SVG…');
    const { frame } = await panel();
    await page.keyboard.press('End');
    for (let presses = 0; !(await wanted.evaluate((element) => element === document.activeElement)); presses++) {
      assert.ok(presses < 20, 'the item is not reached');
      await page.keyboard.press('ArrowUp');
    }
    await page.keyboard.press('Enter');
    const svg = (await confirm('headlight-small-attention-matrix.svg')).toString('utf8');
    const read = await frame.evaluate((source) => {
      const parsed = new DOMParser().parseFromString(source, 'image/svg+xml');
      const of = (name: string) => parsed.querySelector(name)?.textContent ?? '';
      return {
        broken: parsed.querySelector('parsererror') !== null,
        ...{ about: of('metadata'), paths: parsed.querySelectorAll('path').length },
        texts: [...parsed.querySelectorAll('text')].map((element) => element.textContent),
      };
    }, svg);
    assert.equal(read.broken, false);
    assert.ok(read.paths > 10, `${read.paths} paths`);
    assert.ok(read.texts.includes(`Layer ${layer}, head ${head}: attention weight`), String(read.texts[0]));
    isOfThePassage(JSON.parse(read.about), { layer, head, numbers: 'attention weight' });
    assert.equal(await page.locator('.quick-input-widget').isVisible(), false);
    // Escape closes the menu and gives the focus back.
    await button.press('Enter');
    await page.keyboard.press('Escape');
    assert.equal(await button.evaluate((element) => element === document.activeElement), true);
    assert.equal(await frame.getByRole('menu').count(), 0);
  });

  it('writes a picture as PNG that says in itself where it comes from', async () => {
    const png = await save('Attention', 'Save matrix as PNG…', 'headlight-small-attention-matrix.png');
    const texts = new Map<string, string>();
    for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
      const length = png.readUInt32BE(at);
      assert.equal(png.readUInt32BE(at + 8 + length), crc32(png.subarray(at + 4, at + 8 + length)));
      if (png.toString('latin1', at + 4, at + 8) === 'tEXt') {
        const [keyword, value] = png.toString('latin1', at + 8, at + 8 + length).split('\0');
        texts.set(keyword, value);
      }
    }
    isOfThePassage(JSON.parse(texts.get('Description')!), { heads: 'one' });
    assert.ok(png.readUInt32BE(16) > 200 && png.readUInt32BE(20) > 200);
    const colours = await workbench.page.evaluate(async (source) => {
      const bytes = Uint8Array.from(atob(source), (character) => character.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')!;
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
      return new Set(new Uint32Array(data.buffer)).size;
    }, png.toString('base64'));
    assert.ok(colours > 10, `${colours} colours`);
  });

  it("writes a tensor as npy: the engine's numbers, and where they come from behind them", async () => {
    const { layer, head, weights } = await shownHead();
    const npy = await save('Attention', 'Save matrix as NPY…', 'headlight-small-attention-matrix.npy');
    const data = 10 + npy.readUInt16LE(8);
    const length = trace.tokens.length;
    assert.ok(npy.toString('latin1', 10, data).includes(`'shape': (${length}, ${length})`));
    for (const [at, expected] of weights.entries()) {
      assert.ok(Math.abs(npy.readFloatLE(data + 4 * at) - expected) < TOLERANCE, `number ${at}`);
    }
    isOfThePassage(JSON.parse(npy.toString('utf8', data + weights.byteLength)), { layer, head });
  });

  it('copies a table as JSON', async () => {
    await workbench.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await open('Tokens');
    await (await menuOf('Tokens')).click();
    await (await item('Copy table as JSON')).click();
    await (await panel()).announcement.filter({ hasText: 'Copied table as JSON.' }).waitFor();
    const copied = await workbench.page.waitForFunction(async () => {
      const clip = await navigator.clipboard.readText();
      return clip.startsWith('{') ? clip : null;
    });
    const { about, rows } = JSON.parse((await copied.jsonValue())!) as {
      about: About;
      rows: Record<string, unknown>[];
    };
    isOfThePassage(about, {});
    assert.deepEqual(
      rows.map(({ id, text }) => [id, text]),
      trace.tokens.map(({ id, text }) => [id, text]),
    );
    for (const [at, { probability }] of trace.tokens.entries()) {
      const shown = rows[at].probability as number | null;
      assert.ok(shown === probability || Math.abs(shown! - probability!) < TOLERANCE, `token ${at}`);
    }
  });

  it('writes nothing where the dialog is left', async () => {
    await (await menuOf('Tokens')).click();
    await (await item('Save table as CSV…')).click();
    const input = workbench.page.locator('.quick-input-widget input[type=text]');
    await input.waitFor();
    await workbench.page.keyboard.press('Escape');
    await input.waitFor({ state: 'hidden' });
    assert.equal(existsSync(path.join(workbench.folder, 'headlight-small-tokens-table.csv')), false);
  });

  it('has a table, and a picture where one is drawn, of every section', async () => {
    const { frame } = await panel();
    const sections: Record<string, readonly string[]> = {
      Tokens: ['table json', 'surprisal svg'],
      'Next token': ['candidates json', 'bars svg'],
      Branches: ['tree json'],
      'Text to tokens': ['merges json', 'vocabularies json'],
      'Embedding and position': ['steps json', 'nearest tokens json', 'vectors svg'],
      Attention: ['matrix json', 'all heads svg'],
      'One row in numbers': ['table json', 'heads json'],
      Heads: ['table json'],
      'Choosing, step by step': ['steps json'],
      Layers: ['lens json', 'lens svg'],
      Attribution: ['parts json', 'bars svg', 'grid svg'],
      'Residual stream': ['table json', 'norms json', 'bars svg'],
      'Feed-forward': ['neurons json'],
      'Again, token by token': ['tokens json'],
      'As training data': ['losses json'],
    };
    for (const [section, files] of Object.entries(sections)) {
      await open(section);
      if (section.startsWith('Again')) {
        await frame.getByRole('button', { name: 'Step', exact: true }).click();
      }
      for (const file of files) {
        const [what, kind] = [file.slice(0, file.lastIndexOf(' ')), file.slice(file.lastIndexOf(' ') + 1)];
        const name = `headlight-small-${section}-${what}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
        const content = await save(section, `Save ${what} as ${kind.toUpperCase()}…`, `${name}.${kind}`);
        if (kind === 'json') {
          const { about, rows } = JSON.parse(content.toString('utf8')) as { about: About; rows: unknown[] };
          isOfThePassage(about, {});
          assert.ok(rows.length > 0, name);
        } else {
          const broken = await frame.evaluate(
            (source) => new DOMParser().parseFromString(source, 'image/svg+xml').querySelector('parsererror') !== null,
            content.toString('utf8'),
          );
          assert.equal(broken, false, name);
          assert.doesNotMatch(content.toString('utf8'), /NaN|undefined|Infinity/, name);
        }
      }
      await workbench.screenshot(`section-${section.replace(/\W+/g, '-')}`);
    }
    assert.ok(readdirSync(workbench.folder).length > 25);
  });

  it('stands in its place in every theme, and in a narrow panel', async () => {
    for (const theme of ['light', 'high contrast', 'dark'] as const) {
      await workbench.setTheme(theme);
      await open('Residual stream');
      await (await menuOf('Residual stream')).click();
      await workbench.screenshot(`menu-${theme.replaceAll(' ', '-')}`);
      await workbench.page.keyboard.press('Escape');
    }
    await workbench.page.setViewportSize({ width: 1000, height: 1000 });
    for (const section of ['Attention', 'Tokens']) {
      await open(section);
      await (await menuOf(section)).click();
      const box = (await (await panel()).frame.getByRole('menu').boundingBox())!;
      const width = await (await panel()).frame.evaluate(() => document.documentElement.clientWidth);
      const left = (await (await panel()).frame.locator('main.panel').boundingBox())!.x;
      assert.ok(box.x >= left && box.x + box.width <= left + width, JSON.stringify({ box, left, width }));
      await workbench.screenshot(`menu-narrow-${section}`);
      await workbench.page.keyboard.press('Escape');
    }
  });
});
