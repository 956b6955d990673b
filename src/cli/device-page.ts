import { checkPage, OPERATOR_HEADING } from '../engine/devices/check-page';
import type { DeviceCheck } from '../engine/devices/device-chooser';
import { table } from './page';

/** What a check of a device found, for a terminal, with a line end after each line. */
export function renderDevicePage(check: DeviceCheck): string {
  const { verdict, facts, tables } = checkPage(check);
  const width = Math.max(...facts.map(([name]) => name.length));
  const sections = [
    verdict,
    facts.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n'),
    ...tables.map(({ title, rows }) => table(title, OPERATOR_HEADING, rows, false)),
  ];
  return `${sections.join('\n\n')}\n`;
}
