import type { DecoderConfig } from '../model/config';
import { BRANCHES, branchingNodes, takeBranch } from '../onnx/branches';
import type { Model } from '../onnx/graph';
import { refuseOtherKinds } from '../onnx/graph-kind';
import { instrument } from '../onnx/instrument';
import { readSignature } from '../onnx/signature';
import { label, Topology } from '../onnx/topology';
import { buildFeeds } from './feeds';
import { openPlainSession, type Runtime } from './providers';
import { floatData } from './tensors';

/** A decoder without branches, and where it was taken from. */
export interface ChosenBranch {
  readonly model: Model;
  /** In a sentence, which branch of which node; null for a model that has none. */
  readonly note: string | null;
}

/** How far the branches may be apart, as a part of the largest logit. */
const TOLERANCE = 1e-4;

/**
 * One decoder out of a merged one. The branch that goes on behind a cache reads a text from its start as well where it was
 * exported for more than one token at a time: then it can do both. Otherwise it is the branch that starts.
 *
 * @param ids a short passage to try the branches on
 */
export async function chooseBranch(
  runtime: Runtime,
  model: Model,
  config: DecoderConfig,
  ids: Uint32Array,
): Promise<ChosenBranch> {
  const [node] = branchingNodes(model);
  if (node === undefined) {
    return { model, note: null };
  }
  const branches = BRANCHES.map((name) => ({ name, model: takeBranch(model, name) }));
  const continuing = branches.find((branch) => readsPast(branch.model));
  const starting = branches.find((branch) => branch !== continuing)!;
  refuseOtherKinds(new Topology(starting.model));
  const chosen =
    continuing !== undefined && (await agree(runtime, config, ids, [starting.model, continuing.model]))
      ? continuing
      : starting;
  const why =
    chosen === continuing
      ? 'which goes on behind a cache, and from an empty one gives what the other branch does'
      : 'which starts a text; the other does so differently, so that every step of writing reads the text again';
  return { model: chosen.model, note: `The layers are those of ${label(node)}, ${chosen.name}, ${why}.` };
}

function readsPast(model: Model): boolean {
  const topology = new Topology(model);
  return readSignature(model).inputs.some(
    ({ role, info }) => role === 'past' && topology.consumers(info.name).length > 0,
  );
}

async function agree(
  runtime: Runtime,
  config: DecoderConfig,
  ids: Uint32Array,
  models: readonly [Model, Model],
): Promise<boolean> {
  try {
    const [expected, actual] = [
      await logitsOf(runtime, config, ids, models[0]),
      await logitsOf(runtime, config, ids, models[1]),
    ];
    const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
    return expected.every((value, index) => Math.abs(value - actual[index]) <= TOLERANCE * scale);
  } catch {
    // One that cannot be run from an empty cache is not the one.
    return false;
  }
}

async function logitsOf(
  runtime: Runtime,
  config: DecoderConfig,
  ids: Uint32Array,
  model: Model,
): Promise<Float32Array> {
  const signature = readSignature(model);
  const session = await openPlainSession(instrument(model, { expose: [] }), model.file.path);
  try {
    const { [signature.logits]: logits } = await session.run(buildFeeds(runtime, signature, config, ids), [
      signature.logits,
    ]);
    return floatData(logits);
  } finally {
    await session.release();
  }
}
