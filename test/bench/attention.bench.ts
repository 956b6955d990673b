import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { takeDenormalsForZero } from '../../src/engine/runtime/providers';
import { type Bench, compare, type Measurement } from './bench';
import { DEFAULT_MODEL, gpt2SmallShaped, someIds } from './models';
import { PlainSession } from './plain-session';

// As the engine's process does.
takeDenormalsForZero();

const LIMITS = [
  { length: 64, repetitions: 101, atMost: 1.1 },
  { length: 256, repetitions: 15, atMost: 1.1 },
  { length: 1024, repetitions: 7, atMost: 1.25 },
];
const LONGEST_FORWARD = 256;

/**
 * A run after which the weights of every head can be computed, and one after which they have been, each against a run of the
 * same file for its logits only; and what a passage takes that is inspected, whose predictions are scored besides, but not
 * handed out.
 */
export const bench: Bench = async () => [
  // The small one first: half a gigabyte that was given back leaves its memory in pieces, and an engine's process has one model.
  ...(await measure('headlight-small', DEFAULT_MODEL)),
  ...(await measure('GPT-2-small-shaped', await gpt2SmallShaped())),
];

async function measure(name: string, directory: string): Promise<Measurement[]> {
  const { graphFile, config } = await openModelFolder(directory);
  const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
  const plain = await PlainSession.open(graphFile, config);
  const measurements: Measurement[] = [];
  for (const { length, repetitions, atMost } of LIMITS) {
    if (length > config.contextLength) {
      continue;
    }
    const ids = someIds(length, config.vocabSize);
    const { ratio, a, b } = await compare(
      repetitions,
      async () => {
        const { attention } = await decoder.forward(ids);
        let given = 0;
        for (let layer = 0; layer < config.layers; layer++) {
          for await (const weights of attention!.eachHead(layer)) {
            given += weights.length;
          }
        }
        if (given !== config.layers * config.heads * length ** 2) {
          throw new Error(`${name} gave ${given} attention weights`);
        }
      },
      () => plain.logits(ids),
    );
    if (length <= LONGEST_FORWARD) {
      const forward = await compare(
        repetitions,
        () => decoder.forward(ids),
        () => plain.logits(ids),
      );
      measurements.push({
        what: `${name}: a run that keeps what attention needs against logits only, T = ${length}`,
        value: forward.ratio,
        unit: 'ratio',
        limit: { atMost: 1.1 },
        detail: `${forward.a.toFixed(0)} ms against ${forward.b.toFixed(0)} ms`,
      });
    }
    const read = await compare(
      repetitions,
      () => decoder.read(ids, { hiddenStates: true }),
      () => plain.logits(ids),
    );
    measurements.push({
      what: `${name}: a passage read, every prediction scored, against logits that nobody reads, T = ${length}`,
      value: read.ratio,
      unit: 'ratio',
      limit: null,
      detail: `${read.a.toFixed(0)} ms against ${read.b.toFixed(0)} ms`,
    });
    measurements.push({
      what: `${name}: all attention weights against logits only, T = ${length}`,
      value: ratio,
      unit: 'ratio',
      limit: { atMost },
      detail: `${a.toFixed(0)} ms against ${b.toFixed(0)} ms`,
    });
  }
  await decoder.dispose();
  await plain.release();
  return measurements;
}
