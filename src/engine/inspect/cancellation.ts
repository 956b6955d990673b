import { HeadlightError } from '../../protocol/errors';

/** The part of a cancellation token that long work looks at. */
export interface Cancellation {
  readonly isCancellationRequested: boolean;
}

/**
 * Lets the process receive what has arrived in the meantime, then stops work that nobody waits for any more.
 * @throws HeadlightError `cancelled`
 */
export async function pauseUnlessCancelled(cancellation: Cancellation | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (cancellation?.isCancellationRequested) {
    throw new HeadlightError('cancelled', 'The request was cancelled.');
  }
}
