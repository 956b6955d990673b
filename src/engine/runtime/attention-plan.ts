import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import { type AttentionSite, inputsOf } from '../onnx/attention';
import { rawByteLength } from '../onnx/data-type';
import { type InstrumentedModel, instrument } from '../onnx/instrument';
import { exportedSources, isExported, type PartsModel } from '../onnx/parts-model';
import { BLOCK_OPSET, buildReplayGraph, type ReplayGraph, type SpreadAxes } from '../onnx/replay-graph';
import { readTensorBytes } from '../onnx/tensor-bytes';
import type { Topology } from '../onnx/topology';
import { type LayerPlan, LayerReplay, type OpenedReplay } from './attention-replay';
import type { Feeds } from './feeds';
import { countKeyHeads } from './key-heads';
import { firstLine, openPlainSession, openSmallSession, type Runtime } from './providers';
import { byteLengthOf, dataTypeOf, floatData, tensorOfBytes } from './tensors';

/** How the attention of every layer is kept and recomputed. */
export interface AttentionPlan {
  readonly layers: readonly LayerPlan[];
  /** What a run has to fetch for it. */
  readonly fetch: readonly string[];
  /** Which of the graph's own inputs it needs. */
  readonly given: readonly string[];
  /** What it needs besides, the same for every run. */
  readonly constants: ReadonlyMap<string, Tensor>;
  readonly sessions: readonly InferenceSession[];
  /** By layer: heads that have keys of their own. */
  readonly keyHeads: readonly number[];
  /** Whether a token attends to later ones, as in encoders. */
  readonly looksAhead: boolean;
}

export interface AttentionPlanOptions {
  readonly runtime: Runtime;
  /** Of the graph as it was exported, which is what runs. */
  readonly exported: Topology;
  /** What the sites were found in. */
  readonly parts: PartsModel;
  readonly sites: readonly AttentionSite[];
  readonly heads: number;
  /** A short passage to prove the replay on. */
  readonly probe: Feeds;
  readonly probeLength: number;
}

/** How far a replayed weight may be from the graph's own. In half precision scores of 8 and more have 1/128 as their step. */
const TOLERANCE: Readonly<Record<string, number>> = { float16: 5e-3 };
const DEFAULT_TOLERANCE = 1e-5;
/** Queries of a block on the probe, so that there are several. */
const PROBE_BLOCK = 4;
/** Constants up to this size are read from the file once instead of being fetched at every run. */
const LARGEST_CONSTANT = 64 * 1024;
/** How far an operator's parts may be from the operator, as a part of the largest number that it gives. */
const OPERATOR_TOLERANCE: Readonly<Record<string, number>> = { float16: 2e-2 };
const DEFAULT_OPERATOR_TOLERANCE = 1e-3;

/**
 * Prepares each layer's replay and proves it: a short passage is run through the graph with the real weights exposed, and
 * what the replay makes of the same queries and keys has to agree. A layer where it does not is run again when it is
 * looked at.
 *
 * @throws HeadlightError `graph-unsupported` where the graph's weights are not [H, T, T]
 */
export async function planAttention(options: AttentionPlanOptions): Promise<AttentionPlan> {
  const { runtime, exported, parts, sites, heads, probe, probeLength } = options;
  const { topology } = parts;
  const constants = readConstants(runtime, topology, sites);
  const isGiven = (name: string) => constants.has(name) || isExported(exported, name);
  const sources = new Map(
    sites.map((site) => [
      site,
      exportedSources(
        parts,
        exported,
        inputsOf(site).filter((name) => !isGiven(name)),
      ),
    ]),
  );
  const needed = new Set(sites.flatMap((site) => [...inputsOf(site), ...sources.get(site)!]));
  const computed = [...needed].filter((name) => !constants.has(name) && !(name in probe));
  const outputs = [...parts.operators.keys()];
  const run = await runPart(weightsModel(topology, sites, [...computed, ...outputs]), topology, probe);
  await checkOperators(options, run);
  const kept = new Map([...constants, ...Object.entries(probe), ...Object.entries(run)]);
  checkWeights(sites, run, heads, probeLength);
  const sessions = new Map<string, InferenceSession>();
  const layers: LayerPlan[] = [];
  for (const site of sites) {
    const weights = run[site.weights];
    const keptOfSite = Object.fromEntries(Object.entries(run).filter(([name]) => isGiven(name)));
    const plan = isTooLarge(site, sites, keptOfSite, weights)
      ? null
      : await proven(options, site, constants, kept, weights, sessions);
    const made = inputsOf(site).filter((name) => !isGiven(name));
    const from = new Map(sources.get(site)!.map((name) => [name, dataTypeOf(kept.get(name)!)]));
    const prepared = made.length === 0 ? null : { open: parts.open, from, to: made };
    layers.push(plan === null ? { kind: 'rerun', site } : { ...plan, prepared });
  }
  const replayed = layers.flatMap(({ kind, site }) => (kind === 'replay' ? [site] : []));
  const used = new Set(replayed.flatMap((site) => [...inputsOf(site).filter(isGiven), ...sources.get(site)!]));
  return {
    layers,
    fetch: computed.filter((name) => used.has(name)),
    given: [...used].filter((name) => name in probe),
    constants: new Map([...constants].filter(([name]) => used.has(name))),
    sessions: [...sessions.values()],
    keyHeads: sites.map(({ keys }) => countKeyHeads(kept.get(keys)!)),
    looksAhead: sites.some(({ weights }) => looksAhead(floatData(run[weights]), probeLength)),
  };
}

function checkWeights(
  sites: readonly AttentionSite[],
  run: Readonly<Record<string, Tensor>>,
  heads: number,
  length: number,
): void {
  for (const [layer, site] of sites.entries()) {
    const { size, dims } = run[site.weights];
    if (size !== heads * length * length || dims.at(-1) !== length || dims.at(-2) !== length) {
      throw new HeadlightError(
        'graph-unsupported',
        `The attention of layer ${layer} is [${dims}] for ${length} tokens, which is not one map for each of the ${heads} ` +
          'heads that config.json names; check that both are of the same model.',
      );
    }
  }
}

/** @param weights [H, T, T] */
function looksAhead(weights: Float32Array, length: number): boolean {
  return weights.some((weight, cell) => cell % length > Math.floor(cell / length) % length && weight > 1e-6);
}

/** Whether the operators that were taken apart are what was written in their place: on the probe both have to agree. */
async function checkOperators(
  { exported, parts: { operators }, probe }: AttentionPlanOptions,
  inParts: Readonly<Record<string, Tensor>>,
): Promise<void> {
  if (operators.size === 0) {
    return;
  }
  const names = [...operators.keys()];
  const part = instrument(exported.model, { expose: names, keep: exported.ancestors(names) });
  const run = await runPart(part, exported, probe);
  for (const [name, { domain, opType }] of operators) {
    const [theirs, ours] = [floatData(run[name]), floatData(inParts[name])];
    const largest = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const tolerance = OPERATOR_TOLERANCE[run[name].type] ?? DEFAULT_OPERATOR_TOLERANCE;
    if (!agree(ours, theirs, tolerance * Math.max(largest, 1e-3))) {
      throw new HeadlightError(
        'graph-unsupported',
        `Layer ${names.indexOf(name)} computes its attention inside one operator, ${domain || 'ai.onnx'}.${opType}, in a way that ` +
          'Headlight does not know: its parts, computed one by one, give something else; a model exported without fused ' +
          'attention shows it.',
      );
    }
  }
}

/** The part of the graph that gives the sites' weights and these tensors, as its only outputs. */
export function weightsModel(
  topology: Topology,
  sites: readonly AttentionSite[],
  tensors: readonly string[],
): InstrumentedModel {
  const names = [...tensors, ...sites.map(({ weights }) => weights)];
  return instrument(topology.model, { expose: names, keep: topology.ancestors(names) });
}

/** Runs a part of a graph for all that it gives. */
async function runPart(
  part: InstrumentedModel,
  { model }: Topology,
  feeds: Feeds,
): Promise<Readonly<Record<string, Tensor>>> {
  const session = await openPlainSession(part, model.file.path);
  try {
    return await session.run(feeds);
  } catch (cause) {
    throw new HeadlightError('graph-unsupported', `The graph does not hand out its attention (${firstLine(cause)}).`, {
      cause,
    });
  } finally {
    await session.release();
  }
}

function readConstants(
  runtime: Runtime,
  topology: Topology,
  sites: readonly AttentionSite[],
): ReadonlyMap<string, Tensor> {
  const constants = new Map<string, Tensor>();
  for (const name of new Set(sites.flatMap(inputsOf))) {
    const stored = topology.storedConstant(name);
    if (stored !== null && (rawByteLength(stored.dataType, stored.dims) ?? Infinity) <= LARGEST_CONSTANT) {
      const bytes = readTensorBytes(topology.model.file, stored);
      const tensor = bytes && tensorOfBytes(runtime, stored.dataType, stored.dims, bytes);
      if (tensor) {
        constants.set(name, tensor);
      }
    }
  }
  return constants;
}

/** Whether the layer's share of what is kept beside queries and keys is as large as its weights: a bias for every cell. */
function isTooLarge(
  site: AttentionSite,
  sites: readonly AttentionSite[],
  computed: Readonly<Record<string, Tensor>>,
  weights: Tensor,
): boolean {
  const bytes = site.sideInputs.reduce((sum, name) => {
    const users = sites.filter(({ sideInputs }) => sideInputs.includes(name)).length;
    return sum + (name in computed ? byteLengthOf(computed[name]) / users : 0);
  }, 0);
  return bytes >= byteLengthOf(weights);
}

type ProvenReplay = Omit<LayerPlan & { readonly kind: 'replay' }, 'prepared'>;

/** The layer's replay, if it gives the graph's own weights. Sites of the same structure share a session. */
async function proven(
  { runtime, parts: { topology }, heads, probeLength }: AttentionPlanOptions,
  site: AttentionSite,
  constants: ReadonlyMap<string, Tensor>,
  kept: ReadonlyMap<string, Tensor>,
  weights: Tensor,
  sessions: Map<string, InferenceSession>,
): Promise<ProvenReplay | null> {
  const { model } = topology;
  const typeOf = (name: string) => dataTypeOf(kept.get(name)!);
  const scalars = scalarsOf(site, constants);
  const expected = floatData(weights);
  const tolerance = TOLERANCE[weights.type] ?? DEFAULT_TOLERANCE;
  const open = async (graph: ReplayGraph): Promise<OpenedReplay> => {
    const structure = Buffer.from(graph.bytes).toString('latin1');
    const session = sessions.get(structure) ?? (await openSmallSession(graph.bytes, model.file.path));
    sessions.set(structure, session);
    return { graph, session };
  };
  try {
    const whole = await open(buildReplayGraph(model, site, typeOf, scalars));
    const replay = new LayerReplay(runtime, { site, whole, blocks: null }, heads);
    if (!agree(await replay.layer(kept), expected, tolerance)) {
      return null;
    }
    const cells = probeLength * probeLength;
    /** The last head alone, and all of them. */
    const agrees = async (compute: (first: number, count: number) => Promise<Float32Array>) => {
      for (const first of new Set([0, heads - 1])) {
        const some = await compute(first, heads - first).catch(() => null);
        if (some === null || !agree(some, expected.subarray(first * cells), tolerance)) {
          return false;
        }
      }
      return true;
    };
    const headwise = replay.isHeadwise(kept) && (await agrees((first, count) => replay.group(kept, first, count)));
    const plan = { site, whole: { ...whole, graph: { ...whole.graph, headwise } } };
    if (!headwise || (model.opsets.get('') ?? 1) < BLOCK_OPSET) {
      return { kind: 'replay', ...plan, blocks: null };
    }
    const spread = new Map(site.sideInputs.map((name) => [name, spreadAxes(kept.get(name), probeLength)]));
    const blocks = await open(buildReplayGraph(model, site, typeOf, scalars, spread)).catch(() => null);
    const byBlocks = blocks && new LayerReplay(runtime, { ...plan, blocks }, heads);
    const isSame =
      byBlocks !== null &&
      (await agrees(async (first, count) => {
        const group = new Float32Array(count * cells);
        await byBlocks.groupByBlocks(kept, first, group, probeLength, PROBE_BLOCK);
        return group;
      }));
    return { kind: 'replay', ...plan, blocks: isSame ? blocks : null };
  } catch (error) {
    if (error instanceof HeadlightError && error.code === 'runtime-unavailable') {
      throw error;
    }
    // An operator that does not run apart from its graph: the graph itself still gives the weights.
    return null;
  }
}

/** Along which axes a tensor that is spread over the scores [1 or H, 1 or T, 1 or T] has one number a token. */
function spreadAxes(tensor: Tensor | undefined, length: number): SpreadAxes {
  return { queries: tensor?.dims.at(-2) === length, keys: tensor?.dims.at(-1) === length };
}

/** The single numbers among what the site reads, where they stand in the file. */
function scalarsOf(site: AttentionSite, constants: ReadonlyMap<string, Tensor>) {
  const scalars = inputsOf(site).filter((name) => constants.get(name)?.size === 1);
  return new Map(
    scalars.map((name) => {
      const tensor = constants.get(name)!;
      const { buffer, byteOffset, byteLength } = tensor.data as Float32Array;
      return [
        name,
        { dataType: dataTypeOf(tensor), dims: tensor.dims, data: new Uint8Array(buffer, byteOffset, byteLength) },
      ];
    }),
  );
}

function agree(actual: Float32Array, expected: Float32Array, tolerance: number): boolean {
  return (
    actual.length === expected.length && actual.every((value, index) => Math.abs(value - expected[index]) <= tolerance)
  );
}
