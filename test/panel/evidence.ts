import type { Workbench } from './workbench';

/** Lines of Headlight's log that are enough to see what its processes did last. */
const LOG_LINES = 30;

/** After each attempt at a test that did not pass: a picture of the window in artifacts/, and the end of Headlight's log. */
export function keepEvidence(of: () => Workbench | null | undefined): void {
  let attempts = 0;
  afterEach(async function () {
    const { currentTest: test } = this;
    // An attempt that is made again is neither passed nor failed.
    if (test === undefined || test.state === 'passed' || test.isPending()) {
      return;
    }
    attempts++;
    const workbench = of();
    // Where the window is gone there is nothing to see; that must not stand before what failed.
    await workbench?.screenshot(`failed-${test.title.replace(/\W+/g, '-')}-${attempts}`).catch(() => undefined);
    console.log(workbench?.log.trimEnd().split('\n').slice(-LOG_LINES).join('\n'));
  });
}
