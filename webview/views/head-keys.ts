import type { PanelStore } from '../state';

/** What the keys do, for tooltips. */
export const HEAD_KEYS = 'Shift+arrows, or [ ] and { }, change head and layer';

/** Keys that change head and layer anywhere in the attention section. */
export function stepHeadByKey(store: PanelStore, event: KeyboardEvent): void {
  if (event.altKey || event.metaKey || (event.target as Element).closest('[role=radiogroup]') !== null) {
    return;
  }
  const steps: Record<string, [number, number]> = {
    '[': [0, -1],
    ']': [0, 1],
    '{': [-1, 0],
    '}': [1, 0],
    ...(event.shiftKey ? { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] } : {}),
  };
  const step = steps[event.key];
  if (step !== undefined) {
    event.preventDefault();
    store.stepHead(...step);
  }
}
