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
    const times = await switchHeads(panel.frame, SWITCHES, 'key');
    const far = await switchHeads(panel.frame, SWITCHES, 'click');
    return [
      {
        what: `head switch in the panel from key press to painted, T = ${await panel.tokens.count()}`,
        value: median(times),
        unit: 'ms',
        limit: { atMost: 50 },
        detail: `slowest of ${SWITCHES}: ${Math.max(...times).toFixed(0)} ms`,
      },
      {
        what: 'the same by a click on a thumbnail far off, whose head was not fetched ahead',
        value: median(far),
        unit: 'ms',
        limit: null,
        detail: `slowest of ${SWITCHES}: ${Math.max(...far).toFixed(0)} ms`,
      },
    ];
  } finally {
    await workbench.close();
  }
};

/** Milliseconds of each switch, measured by the page itself: one head on by key, or by a click two layers and three heads on. */
function switchHeads(frame: Frame, count: number, by: 'key' | 'click'): Promise<number[]> {
  return frame.evaluate(
    async ([switches, means]) => {
      const times: number[] = [];
      const matrix = () => document.querySelector<HTMLElement>('[aria-roledescription="heat map"]')!;
      const grid = () => document.querySelector<HTMLElement>('[aria-roledescription="grid of heads"]')!;
      const shown = () => `${matrix().dataset.layer},${matrix().dataset.head}`;
      /** After the next frame has been handed to the compositor. */
      const painted = () =>
        new Promise<void>((resolve) => {
          requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => resolve();
            port2.postMessage(null);
          });
        });
      /** The middle of a thumbnail, as the rulers beside it tell. */
      const thumbnail = (layer: number, head: number) => {
        const row = [...grid().querySelectorAll('.ruler-layer')][layer].getBoundingClientRect();
        const column = [...grid().querySelectorAll('.ruler-head')][head].getBoundingClientRect();
        return { clientX: column.left + column.width / 2, clientY: row.top + row.height / 2 };
      };
      for (let i = 0; i < switches; i++) {
        const before = shown();
        const changed = new Promise<void>((resolve) => {
          const observer = new MutationObserver(() => {
            if (shown() !== before) {
              observer.disconnect();
              resolve();
            }
          });
          observer.observe(document.body, {
            subtree: true,
            attributes: true,
            attributeFilter: ['data-layer', 'data-head'],
          });
        });
        const layers = grid().querySelectorAll('.ruler-layer').length;
        const heads = grid().querySelectorAll('.ruler-head').length;
        const there = thumbnail((2 * i) % layers, (3 * i + 1) % heads);
        const started = performance.now();
        if (means === 'key') {
          matrix().dispatchEvent(new KeyboardEvent('keydown', { key: ']', bubbles: true }));
        } else {
          grid().dispatchEvent(new MouseEvent('click', { ...there, bubbles: true }));
        }
        await changed;
        await painted();
        times.push(performance.now() - started);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return times;
    },
    [count, by] as const,
  );
}
