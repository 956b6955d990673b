import { type PanelStore, selectedHead } from '../state';

/** What the keys do, for tooltips. */
export const HEAD_KEYS = 'Shift+arrows, or [ ] and { }, change head and layer';

const BRACKETS: Readonly<Record<string, readonly [layers: number, heads: number]>> = {
  '[': [0, -1],
  ']': [0, 1],
  '{': [-1, 0],
  '}': [1, 0],
};

const ARROWS: Readonly<Record<string, readonly [layers: number, heads: number]>> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/** Changes head and layer by key, and says which one it is now. */
export function stepHeadByKey(store: PanelStore, event: KeyboardEvent, { plainArrows = false } = {}): void {
  // Some keyboards reach the brackets through Ctrl+Alt only, so that modifiers do not speak against them.
  const step = BRACKETS[event.key] ?? (event.shiftKey || plainArrows ? plain(event) : undefined);
  if (step === undefined) {
    return;
  }
  event.preventDefault();
  store.stepHead(...step);
  const head = selectedHead(store.state);
  if (head !== null) {
    store.announce(`Layer ${head.layer}, head ${head.head}`);
  }
}

function plain(event: KeyboardEvent): readonly [number, number] | undefined {
  return event.altKey || event.ctrlKey || event.metaKey ? undefined : ARROWS[event.key];
}
