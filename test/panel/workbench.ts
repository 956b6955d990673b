import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Frame, Locator, Page } from 'playwright-core';
import { artifacts } from '../../scripts/project.mjs';
import { NEWEST } from '../../scripts/vscode-server.mjs';
import { type OpenWorkbench, openWorkbench } from '../../scripts/workbench-page.mjs';

export interface WorkbenchSetup {
  /** Of the suite; its pictures are named for it. */
  readonly name: string;
  /** The user's settings, on top of those that keep the workbench calm. */
  readonly settings?: Record<string, unknown>;
  /** Those of the machine that the engine runs on: they alone choose a device. */
  readonly machineSettings?: Record<string, unknown>;
  /** Whether every workspace is trusted without a question; true unless told. */
  readonly trusted?: boolean;
  readonly viewport?: { width: number; height: number };
  /** For the server and the extension host, and with it the engine. */
  readonly env?: Record<string, string>;
  /** Puts more into the workspace before it is opened. */
  readonly fill?: (folder: string) => void;
}

/** A place in a document as the status bar counts it: lines and columns from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type Theme = 'dark' | 'light' | 'high contrast' | 'high contrast light';

/** As the list of colour themes names them, and the class that the workbench then has. */
const THEMES: Record<Theme, { label: string; mark: string }> = {
  dark: { label: 'Dark Modern', mark: 'vs-dark' },
  light: { label: 'Light Modern', mark: 'vs' },
  'high contrast': { label: 'Dark High Contrast', mark: 'hc-black' },
  'high contrast light': { label: 'Light High Contrast', mark: 'hc-light' },
};

/** Beyond the end of every line; the editor takes the end then. */
const END_OF_LINE = 100_000;

/** How often something that will come is looked for. */
const POLL_MS = 50;

/**
 * A real workbench, used as a person would: by keyboard and palette. Each has a server, a profile and a copy of the
 * samples of its own.
 */
export class Workbench {
  private constructor(
    private readonly setup: WorkbenchSetup,
    private readonly opened: OpenWorkbench,
  ) {}

  static async open(setup: WorkbenchSetup): Promise<Workbench> {
    const opened = await openWorkbench({ release: NEWEST, ...setup });
    const workbench = new Workbench(setup, opened);
    // The status bar item stands there once the extension is active.
    await workbench.statusBar.waitFor({ timeout: 60_000 });
    return workbench;
  }

  get page(): Page {
    return this.opened.page;
  }

  /** The workspace: a copy of samples/ that a test may change. */
  get folder(): string {
    return this.opened.folder;
  }

  /** Headlight's item of the status bar. */
  get statusBar(): Locator {
    return this.page.locator('.statusbar-item', { hasText: 'Headlight' }).first();
  }

  /** The messages on the screen. */
  get toasts(): Locator {
    return this.page.locator('.notifications-toasts .notification-toast');
  }

  async close(): Promise<void> {
    await this.opened.close();
  }

  /** Opens a file of the workspace in the first editor group, with the focus in it. */
  async openFile(name: string): Promise<void> {
    // Keys are lost while the focus is on its way out of the panel.
    if ((await this.page.locator('.editor-group-container').first().locator('.monaco-editor').count()) > 0) {
      await this.focusEditor();
    } else {
      await this.page.keyboard.press('Control+1');
    }
    await this.quickOpen(name);
    await this.page
      .locator('.tab.active', { hasText: path.basename(name) })
      .first()
      .waitFor();
    await this.focusEditor();
  }

  /** Opens a file of the workspace in the group that has the focus. */
  async quickOpen(name: string): Promise<void> {
    await this.pick('Control+p', name, path.basename(name));
    await this.pickIsGone();
  }

  /** Puts the keyboard focus into the first editor group. */
  async focusEditor(): Promise<void> {
    const deadline = Date.now() + 30_000;
    // A click into the panel tells the workbench of its focus later, and may so take the focus back once.
    for (let steady = 0; steady < 2; ) {
      if (Date.now() > deadline) {
        throw new Error('The first editor group did not take the focus');
      }
      if (steady === 0) {
        await this.page.keyboard.press('Control+1');
      }
      await this.page.waitForTimeout(2 * POLL_MS);
      const focused = await this.page.evaluate(() => {
        const group = document.activeElement?.closest('.monaco-editor')?.closest('.editor-group-container');
        return group?.classList.contains('active') ?? false;
      });
      steady = focused ? steady + 1 : 0;
    }
  }

  /** Runs a command by the title that the palette shows, as `Headlight: Inspect Selection`. */
  async runCommand(title: string): Promise<void> {
    await this.pick('F1', `>${title}`, title);
  }

  /** Puts the caret at a place of the active document. */
  async goTo({ line, column }: Place): Promise<void> {
    await this.focusEditor();
    await this.page.keyboard.press('Control+g');
    const input = this.page.locator('.quick-input-widget input[type=text]');
    await input.waitFor();
    await input.fill(`:${line}:${column}`);
    await this.page.keyboard.press('Enter');
    await input.waitFor({ state: 'hidden' });
    await this.page.locator('.statusbar-item', { hasText: `Ln ${line}, ` }).waitFor();
  }

  /** Selects from one place to another of the active document, with the caret at the latter. */
  async select(from: Place, to: Place): Promise<void> {
    await this.goTo(from);
    await this.page.keyboard.press('Control+k');
    await this.page.keyboard.press('Control+b');
    await this.goTo(to);
    await this.page.keyboard.press('Control+k');
    await this.page.keyboard.press('Control+k');
    await this.page.locator('.statusbar-item', { hasText: 'selected)' }).waitFor();
  }

  /** Selects whole lines, without the line break of the last one. */
  async selectLines(first: number, last: number): Promise<void> {
    await this.select({ line: first, column: 1 }, { line: last, column: END_OF_LINE });
  }

  /** The places on the screen, from the top, where a mouse finds the beginning of a line of the first editor group. */
  async lineStarts(): Promise<readonly { x: number; y: number }[]> {
    const editor = this.page.locator('.editor-group-container').first().locator('.monaco-editor').first();
    return editor.evaluate((element) => {
      const { top, bottom } = element.getBoundingClientRect();
      const lines = [...element.querySelectorAll('.view-line')].map((line) => line.getBoundingClientRect());
      return lines
        .map(({ x, y, height }) => ({ x: x + 1, y: y + height / 2 }))
        .filter(({ y }) => y > top && y < bottom)
        .sort((one, other) => one.y - other.y);
    });
  }

  /** The frame that Headlight's panel is drawn in, once it is there. */
  async panel(): Promise<Frame> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      for (const frame of this.page.frames()) {
        if (await isPanel(frame)) {
          return frame;
        }
      }
      if (Date.now() > deadline) {
        throw new Error("Headlight's panel did not appear");
      }
      await this.page.waitForTimeout(POLL_MS);
    }
  }

  /** The frame of a rendered page of Markdown with that text on it. */
  async preview(text: string, withinMs = 30_000): Promise<Frame> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      for (const frame of this.page.frames()) {
        const shown = await frame
          .locator('.markdown-body', { hasText: text })
          .count()
          .catch(() => 0);
        if (shown > 0) {
          return frame;
        }
      }
      if (Date.now() > deadline) {
        throw new Error(`No page with “${text}” appeared`);
      }
      await this.page.waitForTimeout(POLL_MS);
    }
  }

  async setTheme(theme: Theme): Promise<void> {
    const { label, mark } = THEMES[theme];
    await this.runCommand('Preferences: Color Theme');
    await this.choose(label, label);
    await this.page.locator(`.monaco-workbench.${mark}`).waitFor();
    await this.pickIsGone();
  }

  /** Of the engine process that runs the model, as Headlight's log tells. */
  modelProcessId(): number {
    const started = [...this.log.matchAll(/\[model\].* process (\d+)/g)];
    if (started.length === 0) {
      throw new Error('No engine has been started, as far as its log tells');
    }
    return Number(started[started.length - 1][1]);
  }

  /** What Headlight has logged in the window that was opened last; empty before it has. */
  get log(): string {
    const logs = path.join(this.opened.data, 'data', 'logs');
    const files = readdirSync(logs, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('Headlight.log'),
    );
    return files.length === 0 ? '' : readFileSync(path.join(logs, files.sort().at(-1)!), 'utf8');
  }

  /** Keeps a picture of the whole window in artifacts/. */
  async screenshot(what: string): Promise<void> {
    mkdirSync(artifacts, { recursive: true });
    await this.page.screenshot({ path: path.join(artifacts, `${this.setup.name}-${what}.png`) });
  }

  /** Keys that are pressed while a quick pick goes away are lost. */
  private async pickIsGone(): Promise<void> {
    await this.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  }

  /** Opens a quick pick by its keys and takes an entry of it. */
  private async pick(keys: string, typed: string, entry: string): Promise<void> {
    await this.page.keyboard.press(keys);
    await this.choose(typed, entry);
  }

  /** Types into the quick pick on the screen and takes the entry of that name once it is offered. */
  async choose(typed: string, entry: string): Promise<void> {
    const widget = this.page.locator('.quick-input-widget');
    const input = widget.locator('input[type=text]');
    await input.waitFor();
    await input.fill(typed);
    const label = this.page.locator('.label-name', { hasText: exactly(entry) });
    await widget.locator('.monaco-list-row').filter({ has: label }).first().click();
  }
}

function exactly(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
}

async function isPanel(frame: Frame): Promise<boolean> {
  try {
    return (await frame.locator('main.panel').count()) > 0;
  } catch {
    // The frame was replaced while it was asked.
    return false;
  }
}
