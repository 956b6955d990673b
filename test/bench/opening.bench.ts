import { statSync } from 'node:fs';
import { analyzeGraph } from '../../src/engine/onnx/analysis';
import { readModel } from '../../src/engine/onnx/graph';
import { ModelFile } from '../../src/engine/onnx/model-file';
import { openModelFolder } from '../../src/engine/runtime/open-folder';
import { type Bench, median } from './bench';
import { gpt2SmallDecoding } from './models';

const REPETITIONS = 9;

/** How long it takes to find out what a graph of half a gigabyte consists of. */
export const bench: Bench = async () => {
  const { graphFile, config } = await openModelFolder(await gpt2SmallDecoding());
  const times: number[] = [];
  for (let i = 0; i < REPETITIONS; i++) {
    const started = performance.now();
    const file = ModelFile.open(graphFile);
    const { layers } = analyzeGraph(readModel(file), config.layers);
    times.push(performance.now() - started);
    file.close();
    if (layers.length !== config.layers) {
      throw new Error(`found ${layers.length} layers of ${config.layers}`);
    }
  }
  return [
    {
      what: `GPT-2-small-shaped: analysis of a graph of ${Math.round(statSync(graphFile).size / 1e6)} MB`,
      value: times[0],
      unit: 'ms',
      limit: { atMost: 300 },
      detail: `the first time; median of ${REPETITIONS}: ${median(times).toFixed(0)} ms`,
    },
  ];
};
