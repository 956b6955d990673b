import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Workbench } from '../panel/workbench';
import { type Bench, type Measurement, median } from './bench';
import { longText } from './models';
import { typingSession } from './typing-session';

const NAME = 'typed.py';
const KEYS = 300;
const TYPED_BEFORE = 2000;
const BETWEEN_KEYS_MS = 90;
/** Behind a word one looks up. */
const BETWEEN_WORDS_MS = 500;
/** For the model to be loaded. */
const START_MS = 5000;

/** A key, and what came of it. */
interface TypedKey {
  /** By the page's clock, in milliseconds. */
  readonly at: number;
  /** The grey text before it, and the first that came behind it; empty where there was none. */
  readonly before: string;
  grey: string;
  /** From the key to the frame that shows it, in milliseconds. */
  after: number;
}

/** From a key to grey text in the real workbench, the wait for a pause in typing included. */
export const bench: Bench = async () => {
  const workbench = await Workbench.open({
    name: 'typing-bench',
    settings: {
      'headlight.inlineSuggestions.enabled': { '*': true },
      'headlight.inlineSuggestions.confidenceFloor': 0,
      'headlight.inlineSuggestions.slowAfter': 60_000,
      // Nothing but what is typed.
      'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
      'editor.suggestOnTriggerCharacters': false,
      'editor.parameterHints.enabled': false,
      'editor.autoClosingBrackets': 'never',
      'editor.autoClosingQuotes': 'never',
      'editor.autoIndent': 'none',
    },
    fill: (folder) => writeFileSync(path.join(folder, NAME), longText().slice(0, TYPED_BEFORE)),
  });
  try {
    const { page } = workbench;
    await workbench.openFile(NAME);
    await page.keyboard.press('Control+End');
    await workbench.runCommand('Trigger Inline Suggestion');
    await page.waitForTimeout(START_MS);
    await page.evaluate(watchGreyText);
    for (const key of typingSession(longText().slice(TYPED_BEFORE), KEYS)) {
      await page.keyboard.press(key === '\n' ? 'Enter' : key);
      await page.waitForTimeout(/[\s().,:]/.test(key) ? BETWEEN_WORDS_MS : BETWEEN_KEYS_MS);
    }
    const keys = await page.evaluate(() => (window as unknown as { typedKeys: TypedKey[] }).typedKeys);
    return measurements(keys.filter(({ grey }) => grey !== ''));
  } finally {
    await workbench.close();
  }
};

function measurements(shown: readonly TypedKey[]): readonly Measurement[] {
  const goesOn = ({ before, grey }: TypedKey) => before.length === grey.length + 1 && before.endsWith(grey);
  const asSuggested = shown.filter(goesOn);
  const others = shown.filter((key) => !goesOn(key));
  return (
    [
      ['grey text behind a key, the wait for a pause in typing included', others],
      ['the rest of the grey text behind a key that was typed as suggested', asSuggested],
    ] as const
  ).map(([what, keys]) => {
    const times = keys.map(({ after }) => after).sort((a, b) => a - b);
    return {
      what: `headlight-small in the workbench: ${what}, 95th percentile`,
      value: times[Math.floor(0.95 * times.length)],
      unit: 'ms',
      limit: null,
      detail: `${times.length} of ${KEYS} keys; median ${median(times).toFixed(0)} ms`,
    };
  });
}

/** Runs in the page: keeps every key with the first frame behind it that shows other grey text than before. */
function watchGreyText(): void {
  const keys: TypedKey[] = [];
  Object.assign(window, { typedKeys: keys });
  const greyText = () =>
    [...document.querySelectorAll('.view-lines .ghost-text-decoration')].map((part) => part.textContent).join('');
  window.addEventListener(
    'keydown',
    () => keys.push({ at: performance.now(), before: greyText(), grey: '', after: 0 }),
    true,
  );
  new MutationObserver(() => {
    const key = keys.at(-1);
    const grey = greyText();
    if (key === undefined || key.grey !== '' || grey === '' || grey === key.before) {
      return;
    }
    key.grey = grey;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        key.after = performance.now() - key.at;
      };
      port2.postMessage(null);
    });
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}
