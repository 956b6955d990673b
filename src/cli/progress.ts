/** One line on standard error that says what is running, where that is a terminal; an empty one takes it away. */
export function showProgress(line: string): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K${line}`);
  }
}
