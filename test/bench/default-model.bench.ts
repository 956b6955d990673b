import { Inspector } from '../../src/engine/inspect/inspector';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { takeDenormalsForZero } from '../../src/engine/runtime/providers';
import { type Bench, median, timed } from './bench';
import { DEFAULT_MODEL, someIds } from './models';
import { PlainSession } from './plain-session';

// As the engine's process does.
takeDenormalsForZero();

const LOADS = 5;
const STEPS = 40;
const CONTEXT = 448;

/** What the model that comes with the extension costs: to load, and a token more. */
export const bench: Bench = async () => {
  const { graphFile, config } = await openModelFolder(DEFAULT_MODEL);
  const sessions: number[] = [];
  const inspectors: number[] = [];
  for (let i = 0; i < LOADS; i++) {
    sessions.push(await timed(async () => (await PlainSession.open(graphFile, config)).release()));
    inspectors.push(
      await timed(async () => (await Inspector.open({ directory: DEFAULT_MODEL, device: 'cpu' })).dispose()),
    );
  }
  const decoder = await Decoder.open({ graphFile, config, device: 'cpu' });
  const decoding = await decoder.decoding();
  await decoding.read([...someIds(CONTEXT, config.vocabSize)], 1);
  const steps: number[] = [];
  for (const id of someIds(STEPS, config.vocabSize)) {
    steps.push(await timed(() => decoding.read([id], 1)));
  }
  await decoder.dispose();
  return [
    {
      what: 'headlight-small: loading its graph',
      value: median(sessions),
      unit: 'ms',
      limit: { atMost: 500 },
      detail: `with tokenizer, analysis and proof of the attention: ${median(inspectors).toFixed(0)} ms`,
    },
    {
      what: `headlight-small: one step of decoding at context ${CONTEXT}`,
      value: median(steps),
      unit: 'ms',
      limit: { atMost: 10 },
      detail: `fastest of ${STEPS}: ${Math.min(...steps).toFixed(1)} ms`,
    },
  ];
};
