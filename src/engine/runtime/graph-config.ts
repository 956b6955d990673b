import { HeadlightError } from '../../protocol/errors';
import type { DecoderConfig } from '../model/config';
import type { ConfigHints } from '../model/folder';
import { entryNode, findAttention } from '../onnx/attention';
import { branchingNodes, takeBranch } from '../onnx/branches';
import { type Model, readModel } from '../onnx/graph';
import { refuseOtherKinds, refuseWhatCrashes } from '../onnx/graph-kind';
import { instrument } from '../onnx/instrument';
import { ModelFile } from '../onnx/model-file';
import { writeInParts } from '../onnx/parts-model';
import { findPositionTable } from '../onnx/position-table';
import { findResidualStream } from '../onnx/residual-stream';
import { readSignature, type Signature } from '../onnx/signature';
import { Topology } from '../onnx/topology';
import { chooseBranch } from './branch-choice';
import { buildFeeds } from './feeds';
import { countKeyHeads } from './key-heads';
import { firstLine, loadRuntime, openPlainSession, type Runtime } from './providers';

/** A configuration that was measured, and what is to be said of it. */
export interface MeasuredConfig {
  readonly config: DecoderConfig;
  /** Whole sentences: what was measured, and what no file says. */
  readonly notes: readonly string[];
}

/** What architectures are called whose name no file says. */
const UNNAMED = 'decoder';
/** The longest text, in tokens, where nothing says it. */
const ASSUMED_LENGTH = 2048;
/** A passage to measure on: all of these are tokens of every vocabulary. */
const PROBE = Uint32Array.of(1, 2, 3, 4, 5);

/**
 * What a graph itself tells of a model whose folder has no configuration: it is run on a few tokens, and the tensors of its
 * attention are measured.
 *
 * @throws HeadlightError `model-missing` where the graph's attention is not found, so that its heads cannot be counted; and
 * as opening the graph does
 */
export async function measureConfig(graphFile: string, hints: ConfigHints): Promise<MeasuredConfig> {
  const file = ModelFile.open(graphFile);
  try {
    const runtime = await loadRuntime();
    const read = readModel(file);
    refuseOtherKinds(new Topology(branchingNodes(read).length === 0 ? read : takeBranch(read, 'else_branch')));
    const assumed = assumedConfig(readSignature(read));
    const { model } = await chooseBranch(runtime, read, assumed, PROBE);
    return await measure(runtime, model, assumed, hints);
  } finally {
    file.close();
  }
}

async function measure(
  runtime: Runtime,
  model: Model,
  assumed: DecoderConfig,
  hints: ConfigHints,
): Promise<MeasuredConfig> {
  const exported = new Topology(model);
  refuseWhatCrashes(exported);
  const { topology } = writeInParts(exported);
  const signature = readSignature(model);
  const layers = findAttention(topology);
  const [first] = layers;
  if (first === undefined || !('site' in first)) {
    throw missing(model, 'no attention was found in it');
  }
  const { queries, keysTransposed, weights } = first.site;
  const stream = findResidualStream(topology, layers.map(entryNode), signature.tokens, signature.logits);
  const names = [queries, keysTransposed, weights, signature.logits, ...(stream.found ? [stream.tensors[0]] : [])];
  const part = instrument(topology.model, { expose: names, keep: topology.ancestors(names) });
  const session = await openPlainSession(part, model.file.path);
  const run = await session.run(buildFeeds(runtime, signature, assumed, PROBE)).catch((cause) => {
    throw missing(model, `it does not run on a few tokens to be measured (${firstLine(cause)})`);
  });
  await session.release();
  const heads = run[weights].size / PROBE.length ** 2;
  const headDim = run[queries].dims.at(-1)!;
  const table = findPositionTable(exported, signature.tokens, inputOf(signature, 'token-types'));
  const length = table?.length ?? hints.contextLength ?? ASSUMED_LENGTH;
  const config = {
    ...{ architecture: UNNAMED, layers: layers.length, heads, kvHeads: countKeyHeads(run[keysTransposed]), headDim },
    hiddenSize: stream.found ? run[stream.tensors[0]].dims.at(-1)! : heads * headDim,
    vocabSize: run[signature.logits].dims.at(-1)!,
    ...{ contextLength: length, bosTokenId: hints.bosTokenId, eosTokenId: hints.eosTokenId },
  };
  const shown = length.toLocaleString('en-US');
  const why =
    table !== null
      ? `its table "${table.name}" has ${shown} positions, which is the longest text`
      : hints.contextLength !== null
        ? `the longest text, ${shown} tokens, is what tokenizer_config.json says`
        : `how long a text may be, nothing in the folder says: ${shown} tokens are assumed`;
  return {
    config,
    notes: [
      `There is no config.json. Layers, heads, widths and vocabulary were measured in the graph; ${why}. What the architecture ` +
        'is called is not known.',
    ],
  };
}

/** Enough of a configuration to run a graph: its past inputs declare what of it they need. */
function assumedConfig({ inputs }: Signature): DecoderConfig {
  const past = inputs.find(({ role }) => role === 'past')?.info.dims ?? [];
  const kvHeads = typeof past[1] === 'number' ? past[1] : 1;
  return {
    ...{ architecture: UNNAMED, layers: 1, heads: kvHeads, kvHeads, headDim: 1, hiddenSize: 1 },
    ...{ vocabSize: PROBE.length + 1, contextLength: PROBE.length, bosTokenId: null, eosTokenId: null },
  };
}

function inputOf({ inputs }: Signature, role: string): string | null {
  return inputs.find((input) => input.role === role)?.info.name ?? null;
}

function missing({ file }: Model, what: string): HeadlightError {
  return new HeadlightError(
    'model-missing',
    `There is no config.json for ${file.path}, and its heads cannot be counted in the graph, since ${what}; put the model's ` +
      'config.json beside it.',
  );
}
