import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { Suggestion, SuggestParams } from '../../src/protocol/suggestion';
import { keepEvidence } from './evidence';
import { PanelPage } from './panel-page';
import { Workbench } from './workbench';

const MODEL = path.join(root, 'models', 'headlight-small');
const BEFORE = 'A letter about the lamp.\n\n';
/** The caret stands in the middle of a token. */
const TYPED = 'import conso';
const SILENT_MS = 1_500;
/** Tokens of a suggestion that the command line is asked for; it loads the model for each. */
const COMPARED = 4;

const PARAMS: Omit<SuggestParams, 'text'> = {
  ...{ extent: 'line', sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 }, seed: 1, confidenceFloor: 0 },
  ...{ count: 4, atLeast: 1, maxTokens: 12, windowTokens: 256, cacheBytes: 2 ** 24 },
};

describe('inline suggestions in the workbench', () => {
  let workbench: Workbench;
  let inspector: Inspector;
  let expected: readonly Suggestion[];

  before(async () => {
    inspector = await Inspector.open({ directory: MODEL, device: 'cpu' });
    expected = (await inspector.suggester.suggest({ ...PARAMS, text: BEFORE + TYPED })).suggestions;
    workbench = await Workbench.open({
      name: 'suggestions',
      settings: {
        'headlight.inlineSuggestions.enabled': { '*': false, plaintext: true },
        'headlight.inlineSuggestions.confidenceFloor': 0,
        // Other programs may keep this machine busy.
        'headlight.inlineSuggestions.slowAfter': 60_000,
        'headlight.inlineSuggestions.maxTokens': PARAMS.maxTokens,
        'headlight.inlineSuggestions.windowTokens': PARAMS.windowTokens,
        'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
        'editor.wordBasedSuggestions': 'off',
      },
      fill: (folder) => {
        writeFileSync(path.join(folder, 'letter.txt'), BEFORE);
        writeFileSync(path.join(folder, 'silent.js'), BEFORE);
      },
    });
  });

  after(async () => {
    await inspector?.dispose();
    await workbench?.close();
  });

  keepEvidence(() => workbench);

  const keys = (combination: string) => workbench.page.keyboard.press(combination);

  /** The grey text at the caret, with ordinary blanks. */
  async function ghostText(): Promise<string> {
    const parts = await workbench.page.locator('.view-lines .ghost-text-decoration').allTextContents();
    return parts.join('').replaceAll('\u00a0', ' ');
  }

  async function waitForGhostText(text: string): Promise<void> {
    await workbench.page.waitForFunction(
      (wanted) =>
        [...document.querySelectorAll('.view-lines .ghost-text-decoration')]
          .map((part) => part.textContent)
          .join('')
          .replaceAll('\u00a0', ' ') === wanted,
      text,
      { timeout: 20_000 },
    );
  }

  /** The last line of the document, without what is suggested on it. */
  async function line(): Promise<string> {
    const text = await workbench.page.evaluate(() => {
      const lines = [...document.querySelectorAll<HTMLElement>('.view-lines .view-line')];
      const last = lines.reduce((a, b) => (b.offsetTop > a.offsetTop ? b : a)).cloneNode(true) as HTMLElement;
      for (const ghost of last.querySelectorAll('.ghost-text-decoration')) {
        ghost.remove();
      }
      return last.textContent ?? '';
    });
    return text.replaceAll('\u00a0', ' ');
  }

  async function waitForLine(text: string): Promise<void> {
    const deadline = Date.now() + 10_000;
    while ((await line()) !== text) {
      assert.ok(Date.now() < deadline, `the line is "${await line()}" and not "${text}"`);
      await workbench.page.waitForTimeout(50);
    }
  }

  it('appear at the caret while one types, and are the arg max of the command line', async () => {
    await workbench.openFile('letter.txt');
    await workbench.goTo({ line: 3, column: 1 });
    await workbench.page.keyboard.type(TYPED, { delay: 60 });
    await waitForGhostText(expected[0].text);
    await workbench.screenshot('ghost-text');

    const [own, alternative] = expected;
    const [first] = own.tokens;
    const before = await idsOf((BEFORE + TYPED).slice(0, -first.typed.length));
    // Among all that begins as typed: no other such token is more probable to the command line.
    const candidates = candidatesOf(before).filter(({ text }) => text.startsWith(first.typed));
    assert.ok(candidates.length === 0 || candidates[0].id === first.id);
    await checkGreedy(own, 1);
    // Behind the token that makes it another one.
    await checkGreedy(alternative, 1 + alternative.tokens.findIndex(({ id }, at) => id !== own.tokens[at]?.id));
  });

  /** Its tokens from one on, the first few of them, are the command line's most probable ones. */
  async function checkGreedy({ tokens }: Suggestion, from: number): Promise<void> {
    const ids = await idsOf((BEFORE + TYPED).slice(0, -tokens[0].typed.length));
    for (const [at, { id }] of tokens.slice(0, from + COMPARED).entries()) {
      if (at >= from) {
        assert.equal(bestOf(ids), id);
      }
      ids.push(id);
    }
  }

  it('go on as they are while one types what they say', async () => {
    await workbench.page.keyboard.type(expected[0].text[0]);
    await waitForGhostText(expected[0].text.slice(1));
    await keys('Backspace');
    await waitForGhostText(expected[0].text);
  });

  it('are accepted by Tab', async () => {
    await keys('Tab');
    await waitForLine(TYPED + expected[0].text);
    await keys('Control+z');
    await waitForLine(TYPED);
  });

  it('go away by Escape, and come when they are asked for', async () => {
    await workbench.runCommand('Trigger Inline Suggestion');
    await waitForGhostText(expected[0].text);
    await keys('Escape');
    await waitForGhostText('');
    await workbench.page.waitForTimeout(SILENT_MS);
    assert.equal(await ghostText(), '');
  });

  it('have alternatives, which the editor goes round', async () => {
    await workbench.runCommand('Trigger Inline Suggestion');
    await waitForGhostText(expected[0].text);
    await keys('Alt+BracketRight');
    await waitForGhostText(expected[1].text);
    await workbench.screenshot('alternative');
    await keys('Alt+BracketLeft');
    await waitForGhostText(expected[0].text);
  });

  it('are accepted word by word', async () => {
    const [word] = /^\s*[\p{L}\p{N}_]+/u.exec(expected[0].text) ?? [''];
    assert.ok(word !== '', `"${expected[0].text}" begins with a word`);
    await keys('Control+ArrowRight');
    await waitForLine(TYPED + word);
    await waitForGhostText(expected[0].text.slice(word.length));
    await keys('Control+z');
    await waitForLine(TYPED);
  });

  it('say where the pointer rests before them what they were made of', async () => {
    await workbench.runCommand('Trigger Inline Suggestion');
    await waitForGhostText(expected[0].text);
    // The grey text itself shows the editor's own toolbar and asks nobody else.
    const ghost = await workbench.page.locator('.view-lines .ghost-text-decoration').first().boundingBox();
    assert.ok(ghost !== null);
    await workbench.page.mouse.move(ghost.x - 7, ghost.y + ghost.height / 2);
    const hover = workbench.page.locator('.monaco-hover', { hasText: 'Suggested by the model' }).first();
    await hover.waitFor();
    const rows = await hover.locator('table tr').count();
    assert.equal(rows, 1 + expected[0].tokens.length);
    await workbench.screenshot('hover');
    await keys('Escape');
  });

  it('say so by the keyboard too', async () => {
    await workbench.focusEditor();
    await workbench.runCommand('Trigger Inline Suggestion');
    await waitForGhostText(expected[0].text);
    await workbench.page.mouse.move(10, 10);
    await keys('Control+k');
    await keys('Control+i');
    const hover = workbench.page.locator('.monaco-hover', { hasText: 'Suggested by the model' }).first();
    await hover.waitFor();
    await keys('Escape');
  });

  it('are explained in the panel by its key while they are there, the suggested part marked', async () => {
    await workbench.focusEditor();
    await workbench.runCommand('Trigger Inline Suggestion');
    await waitForGhostText(expected[0].text);
    await keys('Control+Alt+h');
    await workbench.page.locator('.quick-input-widget .monaco-list-row').first().click();
    const page = new PanelPage(await workbench.panel());
    await page.shows('letter.txt:1–3 + suggestion');
    const generated = await page.frame.locator('.generated').allTextContents();
    assert.ok(generated.length > 0);
    await workbench.screenshot('explained');
  });

  it('stay silent in other languages', async () => {
    await workbench.openFile('silent.js');
    await workbench.goTo({ line: 3, column: 1 });
    await workbench.page.keyboard.type(TYPED, { delay: 60 });
    await workbench.page.waitForTimeout(SILENT_MS);
    assert.equal(await ghostText(), '');
  });

  async function idsOf(text: string): Promise<number[]> {
    return (await inspector.trace(text)).tokens.map(({ id }) => id);
  }
});

interface ReportedCandidate {
  readonly id: number;
  readonly text: string;
}

/** What the command line gives as the most probable tokens behind these. */
function candidatesOf(ids: readonly number[]): readonly ReportedCandidate[] {
  const cli = path.join(root, 'dist', 'engine', 'cli.mjs');
  const output = execFileSync(process.execPath, [cli, '--model', MODEL, '--ids', ids.join(','), '--json'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return (JSON.parse(output) as { candidates: readonly ReportedCandidate[] }).candidates;
}

function bestOf(ids: readonly number[]): number {
  return candidatesOf(ids)[0].id;
}
