import type { Frame } from 'playwright-core';
import { PanelPage } from '../panel/panel-page';
import { Workbench } from '../panel/workbench';
import { type Bench, median } from './bench';

const SWITCHES = 24;

/** From the key that changes the head to the frame that shows its matrix, with the context full. */
export const bench: Bench = async () => {
  const workbench = await Workbench.open({ name: 'panel-bench' });
  try {
    await workbench.openFile('long.py');
    await workbench.selectLines(1, 200);
    await workbench.runCommand('Headlight: Inspect Selection');
    const panel = new PanelPage(await workbench.panel());
    await panel.shows('long.py');
    await panel.matrix.focus();
    await panel.frame.waitForTimeout(2000);
    const times = await switchHeads(panel.frame, SWITCHES);
    return [
      {
        what: `head switch in the panel from key press to painted, T = ${await panel.tokens.count()}`,
        value: median(times),
        unit: 'ms',
        limit: { atMost: 50 },
        detail: `slowest of ${SWITCHES}: ${Math.max(...times).toFixed(0)} ms`,
      },
    ];
  } finally {
    await workbench.close();
  }
};

/** Milliseconds of each switch, measured by the page itself. */
function switchHeads(frame: Frame, count: number): Promise<number[]> {
  return frame.evaluate(async (switches) => {
    const times: number[] = [];
    const matrix = () => document.querySelector<HTMLElement>('[aria-roledescription="heat map"]')!;
    /** After the next frame has been handed to the compositor. */
    const painted = () =>
      new Promise<void>((resolve) => {
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => resolve();
          port2.postMessage(null);
        });
      });
    for (let i = 0; i < switches; i++) {
      const before = matrix().dataset.head;
      const changed = new Promise<void>((resolve) => {
        const observer = new MutationObserver(() => {
          if (matrix().dataset.head !== before) {
            observer.disconnect();
            resolve();
          }
        });
        observer.observe(document.body, { subtree: true, attributes: true, attributeFilter: ['data-head'] });
      });
      const started = performance.now();
      matrix().dispatchEvent(new KeyboardEvent('keydown', { key: ']', bubbles: true }));
      await changed;
      await painted();
      times.push(performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return times;
  }, count);
}
