import type { Tensor } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import type { DecoderConfig } from '../model/config';
import { DataType } from '../onnx/data-type';
import type { GraphInput, Signature } from '../onnx/signature';
import type { Runtime } from './providers';

export type Feeds = Readonly<Record<string, Tensor>>;

/** What a graph has read already: the keys and values in its cache. */
export interface Past {
  /** P, in tokens. */
  readonly length: number;
  /** Slots of the cache, of which the first P are filled. */
  readonly slots: number;
  /** By the input's name: [1, …, slots, …]. */
  readonly tensors: Feeds;
}

const NOTHING: Past = { length: 0, slots: 0, tensors: {} };

/**
 * Everything a graph asks for to read these tokens, from the start or behind what it has read already.
 *
 * @param ids [T]
 */
export function buildFeeds(
  { Tensor }: Runtime,
  { inputs }: Signature,
  config: DecoderConfig,
  ids: Uint32Array,
  past: Past = NOTHING,
): Feeds {
  const length = ids.length;
  const positions = ids.map((_, index) => past.length + index);
  const attended = new Uint32Array(past.slots + length).fill(1).fill(0, past.length, past.slots);
  const numbers = ({ info }: GraphInput, values: Uint32Array, dims: readonly number[]) => {
    switch (info.elementType) {
      case DataType.Int64:
        return new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
      case DataType.Int32:
        return new Tensor('int32', Int32Array.from(values), dims);
      case DataType.Bool:
        return new Tensor('bool', Uint8Array.from(values), dims);
      default:
        return new Tensor('float32', Float32Array.from(values), dims);
    }
  };
  const feed = (input: GraphInput): Tensor => {
    switch (input.role) {
      case 'tokens':
        return numbers(input, ids, [1, length]);
      case 'attention-mask':
        return numbers(input, attended, [1, attended.length]);
      case 'positions':
        return numbers(input, positions, [1, length]);
      case 'token-types':
        return numbers(input, new Uint32Array(length), [1, length]);
      case 'cache-positions':
        return numbers(input, positions, [length]);
      case 'logits-to-keep':
        return numbers(input, new Uint32Array(1), input.info.dims?.length === 1 ? [1] : []);
      case 'use-cache':
        return numbers(input, Uint32Array.of(past.length > 0 ? 1 : 0), [1]);
      case 'past':
        return past.tensors[input.info.name] ?? nothingRead({ Tensor }, input, config);
    }
  };
  return Object.fromEntries(inputs.map((input) => [input.info.name, feed(input)]));
}

/** The rows from…to − 1 of a run, for an input that names rows. */
export function rowsFeed({ Tensor }: Runtime, name: string, from: number, to: number): Feeds {
  const rows = BigInt64Array.from({ length: to - from }, (_, index) => BigInt(from + index));
  return { [name]: new Tensor('int64', rows, [rows.length]) };
}

/** Every text begins with the same: it is made once for an input. */
const nothing = new WeakMap<GraphInput, Tensor>();

function nothingRead(runtime: Pick<Runtime, 'Tensor'>, input: GraphInput, config: DecoderConfig): Tensor {
  const tensor = nothing.get(input) ?? emptyPast(runtime, input, config);
  nothing.set(input, tensor);
  return tensor;
}

/** Keys or values of no token: the axis of the sequence has a length of 0, all others are as the graph declares them. */
function emptyPast({ Tensor }: Pick<Runtime, 'Tensor'>, { info }: GraphInput, config: DecoderConfig): Tensor {
  const declared = info.dims ?? [];
  const named = declared.map((dim) => (typeof dim === 'number' ? dim : sizeByName(dim ?? '', config)));
  // Of open axes whose name says nothing, the last is the sequence's: heads and widths are declared.
  const sequence = named.includes(0) ? -1 : named.lastIndexOf(null);
  const dims = named.map((size, axis) => size ?? (axis === sequence ? 0 : 1));
  if (!dims.includes(0)) {
    throw new HeadlightError(
      'graph-unsupported',
      `The graph's input "${info.name}" [${declared.map((dim) => dim ?? '?').join(', ')}] has no axis that can be empty, so ` +
        'that no text can be started; export the model with a cache of open length.',
    );
  }
  return info.elementType === DataType.Float16
    ? new Tensor('float16', new Uint16Array(), dims)
    : new Tensor('float32', new Float32Array(), dims);
}

/** Null where the name of an open axis does not tell what it counts. */
function sizeByName(name: string, { kvHeads }: DecoderConfig): number | null {
  if (/head/i.test(name)) {
    return kvHeads;
  }
  if (/seq|past|len|cache|total|context/i.test(name)) {
    return 0;
  }
  return /batch/i.test(name) ? 1 : null;
}
