import type { NodeContent } from './build';
import { DataType } from './data-type';
import { elementTypeOf } from './element-type';
import type { GraphNode } from './graph';
import { OperatorWriter } from './operator-writer';
import type { Topology } from './topology';

/**
 * What one operator does for a layer's whole attention, as ordinary nodes: for a text from its start, with nothing in the
 * cache. Their last output is the operator's own first one, and none of the others is made.
 */
export interface AttentionParts {
  readonly nodes: readonly NodeContent[];
}

/** In a sentence that goes on from the operator's name: why it cannot be written so. */
export interface ClosedOperator {
  readonly why: string;
}

/** Writes an operator's parts; null where that went well. */
type PartsWriter = (operator: Operator) => ClosedOperator | null;

const WRITERS: Readonly<Record<string, Readonly<Record<string, PartsWriter>>>> = {
  '': { Attention: standardAttention },
  'com.microsoft': {
    Attention: packedAttention,
    GroupQueryAttention: groupQueryAttention,
    MultiHeadAttention: multiHeadAttention,
  },
};

/** Below every score; the softmax makes 0 of it. */
const LOWEST = -3.4028234663852886e38;
/** What com.microsoft's operators add where a mask says 0, unless they are told otherwise. */
const MASK_FILTER = -10_000;

/** Writes an operator that does a layer's whole attention as its parts. */
export function attentionParts(topology: Topology, node: GraphNode): AttentionParts | ClosedOperator {
  const write = WRITERS[node.domain]?.[node.opType];
  if (write === undefined) {
    return { why: 'Headlight does not know the inside of' };
  }
  const operator = new Operator(topology, node);
  return write(operator) ?? { nodes: operator.nodes };
}

/** ai.onnx Attention of opset 23 and later: operands [1, T, H·d] with the heads as an attribute, or [1, H, T, d]. */
function standardAttention(o: Operator): ClosedOperator | null {
  const [queries, keys, values, mask, , , lengths] = o.inputs;
  if (lengths) {
    return { why: 'is told how much of its cache is filled' };
  }
  if (o.integer('left_window_size', -1) >= 0 || o.integer('right_window_size', -1) >= 0) {
    return { why: 'looks through a window that is set as an attribute' };
  }
  const heads = o.integer('q_num_heads', 0);
  const kvHeads = o.integer('kv_num_heads', heads);
  const isFlat = heads > 0;
  const byToken = (name: string, tensor: string, count: number) =>
    isFlat ? o.splitHeads(name, tensor, count) : o.op(name, 'Transpose', [tensor], { perm: [0, 2, 1, 3] });
  const q = byToken('queries_by_token', queries, heads);
  const repeated = (name: string, tensor: string) => {
    const own = byToken(`${name}_by_token`, tensor, kvHeads);
    return isFlat ? o.repeat(`${name}_repeated`, own, kvHeads, heads / kvHeads) : o.repeatTo(name, own, q);
  };
  const isMask = mask ? elementTypeOf(o.topology, mask) === DataType.Bool : false;
  return o.attend({
    queries: q,
    keys: repeated('keys', keys),
    values: repeated('values', values),
    scale: o.float('scale'),
    softcap: o.float('softcap'),
    bias: mask && !isMask ? o.wide('bias', mask) : '',
    visible: mask && isMask ? mask : '',
    causal: o.integer('is_causal', 0) === 1,
    window: -1,
    headsFirst: !isFlat,
  });
}

function groupQueryAttention(o: Operator): ClosedOperator | null {
  const [packed, keys, values, , , , , cos, sin, told, bias, ...newer] = o.inputs;
  if (newer.some((input) => input !== '')) {
    return { why: 'has sinks, norms or a quantised cache inside' };
  }
  if (o.integer('smooth_softmax', 0) === 1) {
    return { why: 'has a softmax that does not sum to 1' };
  }
  const heads = o.integer('num_heads', 1);
  const kvHeads = o.integer('kv_num_heads', heads);
  let parts = keys ? [packed, keys, values] : [];
  if (!keys) {
    const all = o.splitHeads('all', packed, heads + 2 * kvHeads);
    const part = (name: string, from: number, count: number) =>
      o.joinHeads(name, o.slice(`${name}_heads`, all, from, from + count, 2));
    parts = [part('q', 0, heads), part('k', heads, kvHeads), part('v', heads + kvHeads, kvHeads)];
  }
  if (o.integer('do_rotary', 0) === 1) {
    const positions = told || o.positions('positions', parts[0]);
    const rotated = (name: string, tensor: string, count: number) => o.rotate(name, tensor, positions, cos, sin, count);
    parts = [rotated('rotated_queries', parts[0], heads), rotated('rotated_keys', parts[1], kvHeads), parts[2]];
  }
  const repeated = (name: string, tensor: string) =>
    o.repeat(`${name}_repeated`, o.splitHeads(`${name}_by_token`, tensor, kvHeads), kvHeads, heads / kvHeads);
  return o.attend({
    queries: o.splitHeads('queries_by_token', parts[0], heads),
    keys: repeated('keys', parts[1]),
    values: repeated('values', parts[2]),
    scale: o.float('scale'),
    softcap: o.float('softcap'),
    bias: bias ? o.wide('bias', bias) : '',
    visible: '',
    causal: o.integer('causal', 1) !== 0,
    window: o.integer('local_window_size', -1),
    headsFirst: false,
  });
}

function multiHeadAttention(o: Operator): ClosedOperator | null {
  const [query, key, value, bias = '', mask = '', attentionBias = ''] = o.inputs;
  if (!key || !value) {
    return { why: 'takes its queries, keys and values in one tensor' };
  }
  return attendWithHeads(o, o.addBias([query, key, value], bias), o.integer('num_heads', 1), mask, attentionBias);
}

/** Projects its input itself: queries, keys and values in one product. */
function packedAttention(o: Operator): ClosedOperator | null {
  const [input, projection, bias, mask = '', , attentionBias = ''] = o.inputs;
  if (o.integer('do_rotary', 0) !== 0) {
    return { why: 'turns queries and keys inside' };
  }
  const projected = o.op('projected', 'Add', [o.op('product', 'MatMul', [input, projection]), bias]);
  const sizes = o.integers('qkv_hidden_sizes') ?? thirds(o.storedWidth(projection));
  if (sizes === null) {
    return { why: 'does not tell the widths of its queries, keys and values' };
  }
  let from = 0;
  const parts = sizes.map((size, index) => {
    const part = o.slice(['q', 'k', 'v'][index], projected, from, from + size, 2);
    from += size;
    return part;
  });
  return attendWithHeads(o, parts, o.integer('num_heads', 1), mask, attentionBias);
}

/** What MultiHeadAttention does once queries, keys and values are [1, T, H·d]. */
function attendWithHeads(
  o: Operator,
  [queries, keys, values]: readonly string[],
  heads: number,
  mask: string,
  attentionBias: string,
): null {
  const biases = [
    ...(attentionBias ? [o.wide('bias', attentionBias)] : []),
    ...(mask ? [o.paddingBias(mask, queries)] : []),
  ];
  return o.attend({
    queries: o.splitHeads('queries_by_token', queries, heads),
    keys: o.splitHeads('keys_by_token', keys, heads),
    values: o.splitHeads('values_by_token', values, heads),
    scale: o.float('scale'),
    softcap: 0,
    bias: biases.length === 2 ? o.op('biases', 'Add', biases) : (biases[0] ?? ''),
    visible: '',
    causal: o.integer('unidirectional', 0) === 1,
    window: -1,
    headsFirst: false,
  });
}

function thirds(width: number | null): readonly number[] | null {
  return width === null || width % 3 !== 0 ? null : [width / 3, width / 3, width / 3];
}

interface Attending {
  /** [1, T, H, d] each. */
  readonly queries: string;
  readonly keys: string;
  readonly values: string;
  /** 0 stands for 1/√d. */
  readonly scale: number;
  /** 0 where there is none. */
  readonly softcap: number;
  /** Added to the scores; '' where there is none. */
  readonly bias: string;
  /** True where a query sees a key; '' where there is none. */
  readonly visible: string;
  readonly causal: boolean;
  /** How many tokens a query sees, itself included; below 0 there is no such limit. */
  readonly window: number;
  /** Whether the operator gives [1, H, T, d] and not [1, T, H·d]. */
  readonly headsFirst: boolean;
}

/** An operator that does a layer's whole attention, being written as its parts. */
class Operator extends OperatorWriter {
  /** Numbers are computed with in float32 throughout, as the operator does inside. */
  private readonly type: number;

  constructor(topology: Topology, node: GraphNode) {
    super(topology, node);
    this.type = elementTypeOf(topology, node.inputs[0]) ?? DataType.Float32;
  }

  /** [1, T, H, d] → [1, T, H·times, d]: each head for its group of query heads. */
  repeat(name: string, tensor: string, heads: number, times: number): string {
    if (times === 1) {
      return tensor;
    }
    const apart = this.op(`${name}_apart`, 'Reshape', [tensor, this.ints(`${name}_apart_shape`, [0, 0, heads, 1, -1])]);
    const often = this.op(`${name}_often`, 'Expand', [apart, this.ints(`${name}_often_shape`, [1, 1, 1, times, 1])]);
    return this.op(name, 'Reshape', [often, this.ints(`${name}_shape`, [0, 0, heads * times, -1])]);
  }

  /** As `repeat`, to as many heads as another tensor has, where neither number is known before the run. */
  repeatTo(name: string, tensor: string, like: string): string {
    const heads = this.size(`${name}_own_heads`, tensor, 2);
    const wanted = this.size(`${name}_heads`, like, 2);
    const times = this.op(`${name}_times`, 'Div', [wanted, heads]);
    const shape = (part: string, sizes: readonly string[]) => this.op(part, 'Concat', sizes, { axis: 0 });
    const [zeros, one, ones, rest] = Object.entries({ zeros: [0, 0], one: [1], ones: [1, 1, 1], rest: [-1] }).map(
      ([part, values]) => this.ints(`${name}_${part}`, values),
    );
    const apart = this.op(`${name}_apart`, 'Reshape', [
      tensor,
      shape(`${name}_apart_shape`, [zeros, heads, one, rest]),
    ]);
    const often = this.op(`${name}_often`, 'Expand', [apart, shape(`${name}_often_shape`, [ones, times, one])]);
    return this.op(`${name}_repeated`, 'Reshape', [often, shape(`${name}_shape`, [zeros, wanted, rest])]);
  }

  /** @param tensor [1, T, H·d] */
  rotate(name: string, tensor: string, positions: string, cos: string, sin: string, heads: number): string {
    const turned = 2 * (this.storedWidth(cos) ?? 0);
    return this.op(
      name,
      'RotaryEmbedding',
      [tensor, positions, cos, sin],
      { num_heads: heads, rotary_embedding_dim: turned, interleaved: this.integer('rotary_interleaved', 0) },
      'com.microsoft',
    );
  }

  /** Queries, keys and values with their part of one bias added to each. */
  addBias(parts: readonly string[], bias: string): readonly string[] {
    const width = bias === '' ? null : this.storedWidth(bias);
    if (width === null) {
      return parts;
    }
    const names = ['queries', 'keys', 'values'];
    return parts.map((part, index) => {
      const own = this.slice(`${names[index]}_bias`, bias, (index * width) / 3, ((index + 1) * width) / 3, 0);
      return this.op(`biased_${names[index]}`, 'Add', [part, own]);
    });
  }

  /** A mask [1, L] or [1, T, L] of zeros and ones, as what is added to scores: [1, 1, 1 or T, L]. */
  paddingBias(mask: string, queries: string): string {
    const filter = this.float('mask_filter_value') || MASK_FILTER;
    const seen = this.op('mask_seen', 'Cast', [mask], { to: DataType.Float32 });
    const away = this.op('mask_away', 'Sub', [this.number('mask_one', 1), seen]);
    const added = this.op('mask_bias', 'Mul', [away, this.number('mask_filter', filter)]);
    const length = this.size('mask_length', queries, 1);
    const shape = this.op('mask_shape', 'Concat', [this.ints('mask_ones', [1, 1, -1]), length], { axis: 0 });
    return this.op('mask_by_query', 'Reshape', [added, shape]);
  }

  /** In float32. */
  wide(name: string, tensor: string): string {
    return this.isNarrow ? this.op(`${name}_wide`, 'Cast', [tensor], { to: DataType.Float32 }) : tensor;
  }

  /** Scores, masks, weights and what they mix, up to the operator's own output. */
  attend({ queries, keys, values, scale, softcap, bias, visible, causal, window, headsFirst }: Attending): null {
    const [q, k, v] = [queries, keys, values].map((tensor, index) => this.wide(['q', 'k', 'v'][index], tensor));
    const byHead = this.op('queries', 'Transpose', [q], { perm: [0, 2, 1, 3] });
    const transposed = this.op('keys', 'Transpose', [k], { perm: [0, 2, 3, 1] });
    const mixed = this.op('values', 'Transpose', [v], { perm: [0, 2, 1, 3] });
    const product = this.op('product_of_queries_and_keys', 'MatMul', [byHead, transposed]);
    let scores = this.op('scores', 'Mul', [
      product,
      scale === 0 ? this.defaultScale(byHead) : this.number('scale', scale),
    ]);
    if (softcap > 0) {
      const cap = this.number('softcap', softcap);
      const bounded = this.op('bounded', 'Tanh', [this.op('over_softcap', 'Div', [scores, cap])]);
      scores = this.op('capped_scores', 'Mul', [bounded, cap]);
    }
    if (bias) {
      scores = this.op('biased_scores', 'Add', [scores, bias]);
    }
    const lowest = visible || causal || window >= 0 ? this.number('lowest', LOWEST) : '';
    if (visible) {
      scores = this.op('visible_scores', 'Where', [visible, scores, lowest]);
    }
    if (causal || window >= 0) {
      scores = this.op('masked_scores', 'Where', [this.hidden(byHead, causal, window), lowest, scores]);
    }
    const weights = this.op('weights', 'Softmax', [scores], { axis: -1 });
    const context = this.op('context', 'MatMul', [weights, mixed]);
    const joined = headsFirst
      ? context
      : this.joinHeads('output', this.op('context_by_token', 'Transpose', [context], { perm: [0, 2, 1, 3] }));
    const last: NodeContent = this.isNarrow
      ? { opType: 'Cast', inputs: [joined], outputs: [this.node.outputs[0]], attributes: { to: this.type } }
      : { opType: 'Identity', inputs: [joined], outputs: [this.node.outputs[0]] };
    this.nodes.push(last);
    return null;
  }

  private get isNarrow(): boolean {
    return this.type === DataType.Float16 || this.type === DataType.BFloat16;
  }

  /** [T, T]: true where a query does not see a key. */
  private hidden(queries: string, causal: boolean, window: number): string {
    const counted = this.range('tokens', this.size('length', queries, 2));
    const rows = this.op('rows', 'Reshape', [counted, this.ints('rows_shape', [-1, 1])]);
    const columns = this.op('columns', 'Reshape', [counted, this.ints('columns_shape', [1, -1])]);
    const later = causal ? this.op('later', 'Less', [rows, columns]) : '';
    if (window < 0) {
      return later;
    }
    const distance = this.op('distance', 'Sub', [rows, columns]);
    const far = this.op('far', 'Greater', [distance, this.ints('window', [window - 1])]);
    return later ? this.op('hidden', 'Or', [later, far]) : far;
  }

  private defaultScale(queries: string): string {
    const width = this.op('head_width', 'Cast', [this.size('head_size', queries, 3)], { to: DataType.Float32 });
    return this.op('scale', 'Reciprocal', [this.op('head_width_root', 'Sqrt', [width])]);
  }
}
