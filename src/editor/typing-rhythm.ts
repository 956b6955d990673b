/** A pause between two keys that says nothing about how fast someone types. */
const LONGEST_GAP_MS = 1_000;
/** How much the newest gap counts. */
const WEIGHT = 0.3;
const FIRST_GUESS_MS = 160;
/** Someone who rests this much longer than between two keys has stopped for the moment. */
const REST = 1.25;
const SHORTEST_WAIT_MS = 30;
const LONGEST_WAIT_MS = 300;

/** How fast someone types, for waiting just long enough to know that they have paused. */
export class TypingRhythm {
  private lastKey = Number.NEGATIVE_INFINITY;
  private gap = FIRST_GUESS_MS;

  /** @param now in milliseconds, by any clock that goes forward */
  keyPressed(now: number): void {
    const gap = now - this.lastKey;
    this.lastKey = now;
    if (gap < LONGEST_GAP_MS) {
      this.gap += WEIGHT * (gap - this.gap);
    }
  }

  /**
   * Milliseconds to wait after a key. Where one types slowly, each key is followed by a pause that is long enough for a
   * suggestion, and waiting would be for nothing.
   */
  get wait(): number {
    const rest = REST * this.gap;
    return rest > LONGEST_WAIT_MS ? SHORTEST_WAIT_MS : Math.max(SHORTEST_WAIT_MS, rest);
  }
}
