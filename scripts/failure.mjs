// Failures as one sentence that says what was wrong and what to do.

/** A failure whose message is already the sentence that a person should read. */
export class Failure extends Error {
  name = 'Failure';
}

/** What the usual causes look like in the output of npm, apt and friends. */
const CAUSES = [
  {
    pattern: /ENOSPC|no space left on device/i,
    sentence: 'the disk is full; free some space and run it again',
  },
  {
    pattern:
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|temporary failure|network/i,
    sentence: 'the network cannot be reached; connect, or set the proxy that this machine needs, and run it again',
  },
  {
    pattern: /EACCES|EPERM|EROFS|permission denied|are you root/i,
    sentence: 'this user has no right to do it; give the user the folder, or run it as one who has the right',
  },
];

/**
 * @param {string} what What could not be done, as `The dependencies could not be installed`.
 * @param {any} thrown
 */
export function explain(what, thrown) {
  const text = [thrown?.code, thrown?.output, thrown?.message ?? String(thrown)].filter(Boolean).join('\n');
  const cause = CAUSES.find(({ pattern }) => pattern.test(text));
  const sentence = cause?.sentence ?? thrown?.message ?? String(thrown);
  return new Failure(`${what}: ${sentence.replace(/\.$/, '')}.`, { cause: thrown });
}

/**
 * Runs a command's main function; what it throws ends the process with the sentence alone. `HEADLIGHT_TRACE=1` shows
 * where it came from.
 * @param {() => Promise<number | void>} main Returns the exit code, 0 where it returns nothing.
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (thrown) {
    console.error(thrown instanceof Failure && !process.env.HEADLIGHT_TRACE ? thrown.message : thrown);
    process.exitCode = 1;
  }
}
