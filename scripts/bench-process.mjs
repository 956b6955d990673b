// Runs one bench and hands its measurements to the process that started it.
import { pathToFileURL } from 'node:url';

/** @returns {Promise<{ measurements: unknown[], error: string | null }>} */
async function outcome() {
  try {
    const { bench } = await import(pathToFileURL(process.argv[2]).href);
    return { measurements: await bench(JSON.parse(process.argv[3])), error: null };
  } catch (error) {
    return { measurements: [], error: error?.stack ?? String(error) };
  }
}

// What a bench has left open must not keep the run from going on.
process.send?.(await outcome(), () => process.exit());
