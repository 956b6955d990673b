import { type CheckPage, OPERATOR_HEADING } from '../engine/devices/check-page';
import { escapeMarkdown } from './escape-markdown';

/** What a check of a device found, as a page of Markdown. */
export function deviceMarkdown(name: string, { verdict, facts, tables }: CheckPage): string {
  return [
    `# ${escapeMarkdown(name)}`,
    `**${escapeMarkdown(verdict)}**`,
    ['| | |', '| --- | --- |', ...facts.map(([fact, value]) => `| ${fact} | ${escapeMarkdown(value)} |`)].join('\n'),
    ...tables.flatMap(({ title, rows }) => [
      `## ${escapeMarkdown(title)}`,
      [
        `| ${OPERATOR_HEADING.join(' | ')} |`,
        '| ---: | ---: | ---: | --- |',
        ...rows.map((row) => `| ${row.map(escapeMarkdown).join(' | ')} |`),
      ].join('\n'),
    ]),
  ].join('\n\n');
}
