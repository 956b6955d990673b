import type { Suggestion } from '../protocol/suggestion';

/** What was suggested for a text before a caret. */
export interface Suggested {
  /** Of the document and the place where the text begins. */
  readonly source: string;
  /** What stood before the caret. */
  readonly text: string;
  readonly suggestions: readonly Suggestion[];
  /** Whether alternatives were asked for too. */
  readonly withAlternatives: boolean;
}

/** A suggestion that still fits, and how much of it stands before the caret by now. */
export interface StillFitting {
  readonly suggestion: Suggestion;
  /** In UTF-16 code units of the suggestion's text. */
  readonly typed: number;
}

const REMEMBERED = 32;

/**
 * The suggestions of the last while. What is typed as it was suggested, or taken back to where something was, is answered
 * from here.
 */
export class SuggestionMemory {
  /** Newest last. */
  private suggested: Suggested[] = [];

  add(suggested: Suggested): void {
    const others = this.suggested.filter(({ source, text }) => source !== suggested.source || text !== suggested.text);
    this.suggested = [...others.slice(1 - REMEMBERED), suggested];
  }

  clear(): void {
    this.suggested = [];
  }

  /**
   * What still fits a text before a caret, the model's own first.
   *
   * @param withAlternatives only where alternatives were asked for, or none are to be had
   * @returns an empty list where it is known that nothing is suggested there; null where nothing is known
   */
  find(source: string, text: string, withAlternatives: boolean): readonly StillFitting[] | null {
    for (const entry of this.suggested.toReversed()) {
      if (entry.source !== source || !text.startsWith(entry.text) || (withAlternatives && !entry.withAlternatives)) {
        continue;
      }
      if (entry.text === text) {
        return entry.suggestions.map((suggestion) => ({ suggestion, typed: 0 }));
      }
      // A document writes line ends in its own way.
      const since = text.slice(entry.text.length).replaceAll('\r\n', '\n');
      const fitting = entry.suggestions.flatMap((suggestion) => {
        const typed = lengthOf(since, suggestion.text);
        return typed === null || typed === suggestion.text.length ? [] : [{ suggestion, typed }];
      });
      if (fitting.length > 0) {
        return fitting;
      }
    }
    return null;
  }
}

/** How far into a text its beginning reaches that is the same as another one but for line ends; null where none is. */
function lengthOf(beginning: string, text: string): number | null {
  let at = 0;
  for (const character of beginning) {
    if (character === '\n' && text[at] === '\r') {
      at++;
    }
    if (!text.startsWith(character, at)) {
      return null;
    }
    at += character.length;
  }
  return at;
}
