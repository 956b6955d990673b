import type { Frame } from 'playwright-core';
import { PanelPage } from '../panel/panel-page';
import { Workbench } from '../panel/workbench';
import { type Bench, type Measurement, median } from './bench';

/** So that about 256 tokens are selected. */
const LINES = 34;
const OPENINGS = 7;
/** A section by its title, and what stands in it when it is painted. */
const STAGES = [
  ['Text to tokens', '.merges li'],
  ['One row in numbers', '[data-section=row] [data-key]'],
  ['Choosing, step by step', '[data-step-token]'],
  ['Layers', '.lens-cell'],
  ['Attribution', '[data-difference]'],
  ['Residual stream', '[data-section=stream] [data-depth]'],
  ['Feed-forward', '[data-neuron]'],
  ['As training data', '[data-figure]'],
] as const;

/** Each stage from the press that opens it to the frame that shows it, in the workbench, on the model that comes with it. */
export const bench: Bench = async () => {
  const workbench = await Workbench.open({ name: 'stages-bench' });
  try {
    await workbench.openFile('long.py');
    await workbench.selectLines(1, LINES);
    await workbench.runCommand('Headlight: Inspect Selection');
    const panel = new PanelPage(await workbench.panel());
    await panel.shows('long.py');
    const tokens = await panel.tokens.count();
    // Long enough for the engine to make the stages ready.
    await panel.frame.waitForTimeout(6000);
    const measurements: Measurement[] = [];
    for (const [title, selector] of STAGES) {
      const times = await open(panel.frame, title, selector);
      measurements.push({
        what: `opening “${title}”, from the press to painted, T = ${tokens}`,
        value: median(times),
        unit: 'ms',
        limit: { atMost: 100 },
        detail: `first ${times[0].toFixed(0)} ms, slowest of ${OPENINGS}: ${Math.max(...times).toFixed(0)} ms`,
      });
    }
    return measurements;
  } finally {
    await workbench.close();
  }
};

/** Milliseconds of each opening, measured by the page itself. */
function open(frame: Frame, title: string, selector: string): Promise<number[]> {
  return frame.evaluate(
    async ([name, content, openings]) => {
      const times: number[] = [];
      const button = [...document.querySelectorAll<HTMLElement>('.section-title')].find(
        ({ textContent }) => textContent === name,
      )!;
      const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
      /** After the next frame has been handed to the compositor. */
      const painted = () =>
        new Promise<void>((resolve) => {
          requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => resolve();
            port2.postMessage(null);
          });
        });
      if (button.getAttribute('aria-expanded') === 'true') {
        button.click();
        await pause(300);
      }
      for (let i = 0; i < openings; i++) {
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
        await painted();
        times.push(performance.now() - started);
        button.click();
        await pause(150);
      }
      return times;
    },
    [title, selector, OPENINGS] as const,
  );
}
