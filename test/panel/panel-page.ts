import type { Frame, Locator } from 'playwright-core';

/** Headlight's panel as a person sees it: its parts by what they are called. */
export class PanelPage {
  constructor(readonly frame: Frame) {}

  /** `light`, `dark`, or one of the high-contrast kinds. */
  themeKind(): Promise<string | null> {
    return this.frame.locator('main.panel').getAttribute('data-theme-kind');
  }

  /** One of the facts in the header. */
  chip(name: 'model' | 'device' | 'source' | 'counts'): Locator {
    return this.frame.locator(`[data-chip=${name}]`);
  }

  /** All parts of the passage that stand for tokens. */
  get tokens(): Locator {
    return this.frame.locator('[data-token-index]');
  }

  get readout(): Locator {
    return this.frame.locator('[data-readout]');
  }

  get follow(): Locator {
    return this.frame.getByRole('button', { name: 'Follow selection' });
  }

  /** A choice in one of the groups of segments, as `Rank`. */
  segment(name: string): Locator {
    return this.frame.getByRole('radio', { name, exact: true });
  }

  /** The large heat map; has the keyboard cursor. */
  get matrix(): Locator {
    return this.frame.locator('[aria-roledescription="heat map"]');
  }

  get headGrid(): Locator {
    return this.frame.locator('[aria-roledescription="grid of heads"]');
  }

  /** Where the cursor of the matrix stands, and the weight there. */
  get callout(): Locator {
    return this.frame.locator('.callout');
  }

  /** The candidates for the next token, the most probable first. */
  get candidates(): Locator {
    return this.frame.locator('[data-token-id][data-rank]');
  }

  get failure(): Locator {
    return this.frame.locator('[data-failure]');
  }

  get announcement(): Locator {
    return this.frame.locator('[data-announcement]');
  }

  /** What a part says. */
  async text(part: Locator): Promise<string> {
    return (await part.textContent()) ?? '';
  }

  /** Waits until the panel shows a passage of that place, as `greet.ts:10–16`, with all that belongs to it. */
  async shows(place: string): Promise<void> {
    await this.chip('source').filter({ hasText: place }).waitFor();
    await this.frame.locator('.sections[aria-busy=false]').waitFor();
    await this.candidates.first().waitFor();
  }
}
