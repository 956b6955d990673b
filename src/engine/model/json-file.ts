import { readFile } from 'node:fs/promises';
import { HeadlightError } from '../../protocol/errors';

/**
 * The parsed file, or undefined where there is none.
 *
 * @throws HeadlightError `model-invalid` where it cannot be read or is not JSON
 */
export async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isAbsent(error)) {
      return undefined;
    }
    throw unreadable(file, error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HeadlightError(
      'model-invalid',
      `${file} is not valid JSON (${messageOf(error)}): it may have been cut short, so copy or export it again.`,
      { cause: error },
    );
  }
}

/** Whether a parsed value is an object with fields. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a file system error says that there is nothing at that path. */
export function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** The failure for a file that is there, but cannot be read. */
export function unreadable(file: string, error: unknown): HeadlightError {
  return new HeadlightError('model-invalid', `${file} cannot be read (${messageOf(error)}): check its permissions.`, {
    cause: error,
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
