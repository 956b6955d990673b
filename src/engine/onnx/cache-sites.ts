import { type GraphNode, subgraphs } from './graph';
import type { RowSelection } from './instrument';
import type { PartsModel } from './parts-model';
import type { ResidualStream } from './residual-stream';
import type { Signature } from './signature';
import type { Topology } from './topology';

/** Where a graph takes the keys, or the values, of the tokens before, and gives those of the tokens it reads. */
export interface CacheSite {
  /** The input [1, …, P, …] with the past tokens. */
  readonly past: string;
  /** The output [1, …, P + T, …] with the new ones behind them. */
  readonly present: string;
  /** [1, …, T, …]: only the new ones, where the graph joins the two in a node of its own. */
  readonly fresh: string | null;
  /** The axis that counts tokens. */
  readonly axis: number;
}

/**
 * Finds what belongs to each of the graph's inputs for past keys and values.
 *
 * @returns one site for each of those inputs; null where there are none, or where one has no output that goes with it
 */
export function findCacheSites(topology: Topology, { inputs }: Signature): readonly CacheSite[] | null {
  const outputs = new Set(topology.model.graph.outputs.map(({ name }) => name));
  const sites: CacheSite[] = [];
  for (const { info } of inputs.filter(({ role }) => role === 'past')) {
    const past = passedOn(topology, info.name);
    const joined = topology.consumers(past).find((node) => joins(node, past, outputs));
    const rank = info.dims?.length ?? 0;
    if (joined !== undefined) {
      const axis = joined.attributes.get('axis')?.value as number;
      const [, fresh] = joined.inputs;
      sites.push({ past: info.name, present: joined.outputs[0], fresh, axis: axis < 0 ? axis + rank : axis });
      continue;
    }
    const present = topology
      .consumers(info.name)
      .flatMap((node) => node.outputs)
      .filter((name) => outputs.has(name))
      .find((name) => kindOf(name) === kindOf(info.name));
    // Without a node that says so: the second axis from the end, as in [batch, heads, tokens, width].
    if (present === undefined || rank < 3) {
      return null;
    }
    sites.push({ past: info.name, present, fresh: null, axis: rank - 2 });
  }
  return sites.length === 0 ? null : sites;
}

/**
 * The place behind which a graph can go on with some of its tokens alone: after the last block nothing looks at another
 * token any more. Null where that place was not found.
 */
export function findRowSelection(
  topology: Topology,
  { handedOut }: PartsModel,
  stream: ResidualStream,
): RowSelection | null {
  const last = stream.found ? stream.tensors.at(-1)! : '';
  const [norm] = handedOut.get(last) ?? [topology.producer(last)];
  // A norm that adds to the stream itself is the last that reads it: what can be cut to some rows is its result.
  const tensor = unfolded(topology, topology.consumers(last).length === 0 ? (norm?.outputs[0] ?? '') : last);
  const consumers = topology.consumers(tensor);
  const isOutput = topology.model.graph.outputs.some(({ name }) => name === tensor);
  return consumers.length === 0 || isOutput || consumers.some((node) => subgraphs(node).length > 0)
    ? null
    : { tensor, consumers };
}

/** Behind the nodes that give a stream [T, D] its shape [1, T, D] back, which knows of all tokens. */
function unfolded(topology: Topology, tensor: string): string {
  const [consumer, ...others] = topology.consumers(tensor);
  const isShape = consumer?.opType === 'Reshape' || consumer?.opType === 'Unsqueeze';
  return isShape && others.length === 0 && consumer.inputs[0] === tensor
    ? unfolded(topology, consumer.outputs[0])
    : tensor;
}

/** Behind nodes that leave the past as it is: tracing leaves a Concat of one where a cache was empty. */
function passedOn(topology: Topology, past: string): string {
  const copy = topology
    .consumers(past)
    .find(({ opType, inputs }) => inputs.length === 1 && (opType === 'Concat' || opType === 'Identity'));
  return copy === undefined ? past : passedOn(topology, copy.outputs[0]);
}

/** Concat(past, new), and what it gives is what the graph hands out. */
function joins({ opType, domain, inputs, outputs }: GraphNode, past: string, given: ReadonlySet<string>): boolean {
  return opType === 'Concat' && domain === '' && inputs.length === 2 && inputs[0] === past && given.has(outputs[0]);
}

/** By the last word that says so: `past_key_values.0.key` holds keys. */
function kindOf(name: string): 'key' | 'value' {
  const words = [...name.matchAll(/key|value|(?<=^|[._])[kv](?=$|[._])/gi)];
  return /^v/i.test(words.at(-1)?.[0] ?? '') ? 'value' : 'key';
}
