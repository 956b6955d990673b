import { HeadlightError } from './errors';

/** Longest text that is inspected, in UTF-16 code units: far beyond every context, and split in well under a second. */
export const LONGEST_TEXT = 1_000_000;

/** @throws HeadlightError `text-too-long` for a text of that many UTF-16 code units */
export function refuseTooLong(length: number): void {
  if (length > LONGEST_TEXT) {
    throw new HeadlightError(
      'text-too-long',
      `The passage has ${length.toLocaleString('en-US')} characters and at most ` +
        `${LONGEST_TEXT.toLocaleString('en-US')} can be inspected; select less of it.`,
    );
  }
}
