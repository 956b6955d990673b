import type { SuggestionExtent } from '../../protocol/suggestion';

/** A shorter repetition may be meant: a rule of dashes, the columns of a table. */
const SHORTEST_LOOP = 12;
const LONGEST_PERIOD = 16;
const REPETITIONS = 3;

/**
 * Where a suggestion ends for its extent.
 *
 * @param text what was generated so far
 * @param lineBefore the caret's line, up to the caret
 * @returns how much of the text is kept; null while it may go on
 */
export function endOf(text: string, extent: SuggestionExtent, lineBefore: string): number | null {
  return extent === 'line' ? endOfLine(text) : endOfBlock(text, indentationOf(lineBefore));
}

function endOfLine(text: string): number | null {
  const at = text.search(/[\r\n]/);
  return at < 0 ? null : at;
}

/**
 * A block ends before a blank line, before a line that is indented less than the caret's, and with the line that closes
 * what was opened. A line counts as soon as its first visible character is there.
 */
function endOfBlock(text: string, caretIndentation: number): number | null {
  const lines = text.split('\n');
  let start = 0;
  let previousEnd = 0;
  let deeper = false;
  for (const [index, line] of lines.entries()) {
    const unfinished = index === lines.length - 1;
    const end = start + line.trimEnd().length;
    if (index > 0) {
      if (line.trim() === '') {
        return unfinished ? null : previousEnd;
      }
      const indentation = indentationOf(line);
      const closes = /^\s*([)\]}]|end\b)/.test(line);
      if (indentation < caretIndentation || (indentation === caretIndentation && deeper && !closes)) {
        return previousEnd;
      }
      if (indentation === caretIndentation && deeper) {
        return unfinished ? null : end;
      }
      deeper ||= indentation > caretIndentation;
    }
    previousEnd = end;
    start += line.length + 1;
  }
  return null;
}

function indentationOf(line: string): number {
  return line.length - line.trimStart().length;
}

/**
 * Where a text has begun to go round in circles.
 *
 * @param ids the tokens that were generated
 * @returns how many of them there are up to the end of the first round; null where there is no loop
 */
export function loopStart(ids: readonly number[]): number | null {
  for (let period = 1; period <= LONGEST_PERIOD; period++) {
    const length = Math.max(REPETITIONS * period, SHORTEST_LOOP);
    const from = ids.length - length;
    if (from < 0) {
      return null;
    }
    let at = from + period;
    while (at < ids.length && ids[at] === ids[at - period]) {
      at++;
    }
    if (at === ids.length) {
      return from + period;
    }
  }
  return null;
}
