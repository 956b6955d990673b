import { asciiJson } from '../../src/protocol/ascii-json';
import type { About, Setting } from './about';

/** A number, a text, or nothing. */
export type TableCell = string | number | null;

/** What a table of the panel says. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly TableCell[])[];
}

/** Spreadsheets take what begins so for a formula (OWASP, "CSV Injection"), full-width forms too. */
const FORMULA = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

/**
 * Comma-separated values (RFC 4180) after lines of comments, which begin with `#`. Text that a spreadsheet would run as a
 * formula gets an apostrophe before it.
 */
export function csvOf({ columns, rows }: Table, about: About): string {
  const comments = remarks(about).map(
    // No separator is left in a comment, so that it stays in the first cell of its line.
    ([name, value]) => `# ${name}: ${asciiJson(value).replaceAll(',', '\\u002c').replaceAll(';', '\\u003b')}`,
  );
  const lines = [columns, ...rows].map((cells) => cells.map(csvCell).join(','));
  return `${[...comments, ...lines].join('\r\n')}\r\n`;
}

/** Each by its name, such as `passage.text`. */
function remarks(about: object, within = ''): [name: string, value: Setting][] {
  return Object.entries(about).flatMap(([name, value]): [string, Setting][] =>
    typeof value === 'object' && value !== null
      ? remarks(value, `${within}${name}.`)
      : [[`${within}${name}`, value as Setting]],
  );
}

function csvCell(cell: TableCell): string {
  if (cell === null || (typeof cell === 'number' && Number.isNaN(cell))) {
    return '';
  }
  if (typeof cell === 'number') {
    return String(cell);
  }
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  // A `#` in quotes begins no comment either.
  return /[",;#\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The same as JSON: one object a row. */
export function jsonOf({ columns, rows }: Table, about: About): string {
  const objects = rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]])));
  return `${JSON.stringify({ about, rows: objects }, null, 2)}\n`;
}
