import type { Frame } from 'playwright-core';
import { PanelPage } from '../panel/panel-page';
import { Workbench } from '../panel/workbench';
import { type Bench, type Measurement, median } from './bench';

/** So that 256 tokens are selected, more or less, from here on in the sample. */
const LINES = 24;
const FIRST_LINE = 42;
/** Each on another passage, since what was shown of a passage is still there when it is opened again. */
const ROUNDS = 6;
/** Passages on which each stage is opened as soon as they are shown. */
const ROUNDS_AT_ONCE = 5;
/** Longer than the engine takes to make the stages ready after a first passage. */
const FIRST_PAUSE_MS = 6000;
const PAUSE_MS = 1000;
/** A section by its title, and what stands in it when it is painted; the lens is read a few positions at a time. */
const STAGES = [
  ['Text to tokens', '.merges li'],
  ['Embedding and position', '[data-embedding]'],
  ['One row in numbers', '[data-section=row] [data-key]'],
  ['Choosing, step by step', '[data-step-token]'],
  ['Layers', '.lens-cell'],
  ['Attribution', '[data-difference]'],
  ['Residual stream', '[data-section=stream] [data-depth]'],
  ['Feed-forward', '[data-neuron]'],
  ['Again, token by token', '[data-grown]'],
  ['As training data', '[data-figure]'],
] as const;

/** Each stage from the press that opens it to the frame that shows it, in the workbench, on the model that comes with it. */
export const bench: Bench = async () => {
  const workbench = await Workbench.open({ name: 'stages-bench' });
  const ahead = new Map<string, number[]>(STAGES.map(([title]) => [title, []]));
  const atOnce = new Map<string, number[]>(STAGES.map(([title]) => [title, []]));
  let passages = 0;
  const [lengths, lengthsAtOnce]: number[][] = [[], []];
  /** By mouse, since the palette would be closing while the panel draws, and followed by the panel. */
  const point = async (): Promise<PanelPage> => {
    await workbench.goTo({ line: FIRST_LINE + LINES / 2 + (passages % LINES), column: 1 });
    const { mouse, keyboard } = workbench.page;
    const lines = await workbench.lineStarts();
    const from = 1 + (passages++ % 3);
    await mouse.click(lines[from].x, lines[from].y);
    await workbench.page.waitForTimeout(PAUSE_MS);
    const panel = new PanelPage(await workbench.panel());
    const before = await panel.chip('source').textContent();
    await keyboard.down('Shift');
    await mouse.click(lines[from + LINES].x, lines[from + LINES].y);
    await keyboard.up('Shift');
    await panel.chip('source').filter({ hasNotText: before! }).waitFor();
    await panel.frame.locator('.sections[aria-busy=false]').waitFor();
    lengthsAtOnce.push(await panel.tokens.count());
    return panel;
  };
  const show = async (): Promise<PanelPage> => {
    const [from, to] = [FIRST_LINE + passages, FIRST_LINE + passages + LINES - 1];
    passages++;
    await workbench.selectLines(from, to);
    await workbench.runCommand('Headlight: Inspect Selection');
    const panel = new PanelPage(await workbench.panel());
    await panel.shows(`long.py:${from}–${to}`);
    lengths.push(await panel.tokens.count());
    return panel;
  };
  try {
    await workbench.openFile('long.py');
    for (let round = 0; round < ROUNDS; round++) {
      const { frame } = await show();
      await frame.waitForTimeout(round === 0 ? FIRST_PAUSE_MS : PAUSE_MS);
      for (const [title, selector] of STAGES) {
        ahead.get(title)!.push(await open(frame, title, selector));
      }
    }
    for (let round = 0; round < ROUNDS_AT_ONCE; round++) {
      for (const [title, selector] of STAGES) {
        const { frame } = await point();
        atOnce.get(title)!.push(await open(frame, title, selector));
      }
    }
  } finally {
    await workbench.close();
  }
  const line = (what: string, tokens: readonly number[], times: readonly number[], first: string): Measurement => ({
    what: `opening ${what}, from the press to painted, T ≈ ${median(tokens).toFixed(0)}`,
    value: median(times),
    unit: 'ms',
    limit: { atMost: 100 },
    detail: `${first}slowest of ${times.length}: ${Math.max(...times).toFixed(0)} ms`,
  });
  return [
    ...[...ahead].map(([title, all]) =>
      line(`“${title}” on a new passage`, lengths, all.slice(1), `the very first: ${all[0].toFixed(0)} ms, `),
    ),
    ...[...atOnce].map(([title, all]) => line(`“${title}” as soon as a passage is shown`, lengthsAtOnce, all, '')),
  ];
};

/** Milliseconds of opening a section that is closed before and afterwards, measured by the page itself. */
function open(frame: Frame, title: string, selector: string): Promise<number> {
  return frame.evaluate(
    async ([name, content]) => {
      const button = [...document.querySelectorAll<HTMLElement>('.section-title')].find(
        ({ textContent }) => textContent === name,
      )!;
      const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
      if (button.getAttribute('aria-expanded') === 'true') {
        button.click();
        await pause(300);
      }
      const shown = new Promise<void>((resolve) => {
        const observer = new MutationObserver(() => {
          if (document.querySelector(content) !== null) {
            observer.disconnect();
            resolve();
          }
        });
        observer.observe(document.body, { subtree: true, childList: true });
      });
      const started = performance.now();
      button.click();
      await shown;
      // After the next frame has been handed to the compositor.
      await new Promise<void>((resolve) => {
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => resolve();
          port2.postMessage(null);
        });
      });
      const took = performance.now() - started;
      button.click();
      await pause(100);
      return took;
    },
    [title, selector] as const,
  );
}
