/** How much of a full window is given up at once, so that its start then stays put for as many tokens. */
const STRIDE = 0.25;

/**
 * The first token of a text that is read where it is longer than the window. A window that moved on with every token would
 * never begin as one that was read before: it stays where one began, as long as that leaves most of it filled.
 *
 * @param total tokens of the text
 * @param size of the window, in tokens
 * @param knownFrom how many tokens from a place on are remembered as the beginning of a text that was read
 */
export function windowStart(total: number, size: number, knownFrom: (start: number) => number): number {
  const earliest = total - size;
  if (earliest <= 0) {
    return 0;
  }
  const latest = Math.min(total - 1, earliest + Math.floor(STRIDE * size));
  let best = latest;
  let longest = 0;
  for (let start = earliest; start <= latest; start++) {
    const known = knownFrom(start);
    if (known > longest) {
      best = start;
      longest = known;
    }
  }
  return longest >= STRIDE * size ? best : latest;
}
