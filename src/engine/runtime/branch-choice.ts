import type { DecoderConfig } from '../model/config';
import { BRANCHES, branchingNodes, takeBranch } from '../onnx/branches';
import { type CacheSite, findCacheSites } from '../onnx/cache-sites';
import type { GraphNode, Model } from '../onnx/graph';
import { refuseOtherKinds } from '../onnx/graph-kind';
import { type InstrumentedModel, instrument } from '../onnx/instrument';
import { readSignature, type Signature } from '../onnx/signature';
import { label, Topology } from '../onnx/topology';
import { buildFeeds } from './feeds';
import { openPlainSession, type Runtime } from './providers';
import { floatData } from './tensors';

/** A decoder without branches, and where it was taken from. */
export interface ChosenBranch {
  readonly model: Model;
  /** Goes on behind a cache, where the one above only starts a text; null where there is no need of another. */
  readonly continuing: ContinuingBranch | null;
  /** In a sentence, which branch of which node; null for a model that has none. */
  readonly note: string | null;
}

/** A branch that reads a token behind those that another has read. */
export interface ContinuingBranch {
  readonly instrumented: InstrumentedModel;
  readonly signature: Signature;
  readonly sites: readonly CacheSite[];
  readonly nodes: readonly GraphNode[];
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
    return { model, continuing: null, note: null };
  }
  const branches = BRANCHES.map((name) => ({ name, model: takeBranch(model, name) }));
  const continuing = branches.find((branch) => readsPast(branch.model));
  const starting = branches.find((branch) => branch !== continuing)!;
  refuseOtherKinds(new Topology(starting.model));
  const chosen =
    continuing !== undefined && (await agree(runtime, config, ids, [starting.model, continuing.model]))
      ? continuing
      : starting;
  const other = chosen === continuing || continuing === undefined ? null : continuingBranch(continuing.model);
  const why =
    chosen === continuing
      ? 'which goes on behind a cache, and from an empty one gives what the other branch does'
      : other === null
        ? 'which starts a text; none goes on behind a cache, so that every step of writing reads the text again'
        : 'which starts a text; what is written goes on in the other';
  return {
    model: chosen.model,
    continuing: other,
    note: `The layers are those of ${label(node)}, ${chosen.name}, ${why}.`,
  };
}

/** Null where it does not say where its cache goes in and comes out. */
function continuingBranch(model: Model): ContinuingBranch | null {
  const signature = readSignature(model);
  const sites = findCacheSites(new Topology(model), signature);
  const expose = sites?.flatMap(({ fresh }) => fresh ?? []) ?? [];
  return sites && { instrumented: instrument(model, { expose }), signature, sites, nodes: model.graph.nodes };
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
