import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { GraphFile, ModelDescription } from '../../protocol/model';
import { readModel } from '../onnx/graph';
import { ModelFile } from '../onnx/model-file';
import { countParameters, weightsOf } from '../onnx/parameters';
import { openModelFolder } from '../runtime/open-folder';

/**
 * Reads what a model folder holds, without loading the model.
 *
 * @param directory of the model, or the path of one of its graphs
 * @throws HeadlightError `model-missing`, `model-invalid` where it could not be loaded either
 */
export async function describeModel(directory: string): Promise<ModelDescription> {
  const { name, config, graphFile, graphFiles } = await openModelFolder(directory);
  const { architecture, layers, heads, kvHeads, contextLength } = config;
  const file = ModelFile.open(graphFile);
  try {
    const parameters = countParameters(weightsOf(readModel(file).graph));
    const files = await Promise.all(graphFiles.map(withSize));
    return {
      ...{ name, architecture, layers, heads, kvHeads, contextLength },
      parameters: parameters.count,
      precision: parameters.precision,
      byteLength: files[0].byteLength,
      graphFiles: files,
    };
  } finally {
    file.close();
  }
}

/** With the files whose names begin with the graph's own, which is how exporters name what is outside of it. */
async function withSize(graphFile: string): Promise<GraphFile> {
  const folder = path.dirname(graphFile);
  const name = path.basename(graphFile);
  const beside = (await readdir(folder)).filter(
    (other) => other.startsWith(`${name}_data`) || other.startsWith(`${name}.`),
  );
  const sizes = await Promise.all([name, ...beside].map(async (one) => (await stat(path.join(folder, one))).size));
  return { path: graphFile, byteLength: sizes.reduce((sum, size) => sum + size, 0) };
}
