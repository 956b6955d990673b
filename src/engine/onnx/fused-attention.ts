import type { NodeContent } from './build';
import type { GraphNode, Model } from './graph';

/** An operator that does a layer's whole attention, in the form in which it hands out its weights. */
export interface OpenedOperator {
  /** What is written in the operator's place. */
  readonly nodes: readonly NodeContent[];
  /** The tensor that holds the attention weights then. */
  readonly weights: string;
}

/** In a sentence that goes on from the operator's name: why its weights cannot be had. */
export interface ClosedOperator {
  readonly why: string;
}

type Opener = (model: Model, node: GraphNode) => OpenedOperator | ClosedOperator;

/** The operators that have an output for what they attend to, or can be written as one that has. */
const OPENERS: Readonly<Record<string, Readonly<Record<string, Opener>>>> = {
  '': { Attention: standardAttention },
  'com.microsoft': {
    Attention: packedAttention,
    GroupQueryAttention: groupQueryAttention,
    MultiHeadAttention: multiHeadAttention,
  },
};

/** Where each of these operators hands out its scores or weights. */
const SCORES_OUTPUT = 3;
/** `qk_matmul_output_mode` of ai.onnx Attention: after the softmax. */
const AFTER_SOFTMAX = 3;
/** `qk_output` of GroupQueryAttention: after the softmax. */
const SOFTMAX_OUTPUT = 2;

/** Opens an operator that does a layer's whole attention. */
export function openOperator(model: Model, node: GraphNode): OpenedOperator | ClosedOperator {
  const open = OPENERS[node.domain]?.[node.opType];
  if (open === undefined) {
    return { why: 'has no output for what it attends to' };
  }
  return node.outputs[SCORES_OUTPUT] ? { why: 'already hands out its scores in another form' } : open(model, node);
}

function standardAttention(model: Model, node: GraphNode): OpenedOperator {
  const weights = weightsOf(node);
  return {
    nodes: [rewritten(model, node, weights, { qk_matmul_output_mode: AFTER_SOFTMAX })],
    weights,
  };
}

function groupQueryAttention(model: Model, node: GraphNode): OpenedOperator {
  const weights = weightsOf(node);
  return { nodes: [rewritten(model, node, weights, { qk_output: SOFTMAX_OUTPUT })], weights };
}

/** Its own output is that before the softmax, mask included. */
function multiHeadAttention(model: Model, node: GraphNode): OpenedOperator {
  const weights = weightsOf(node);
  const scores = `${weights}/scores`;
  return { nodes: [rewritten(model, node, scores, {}), softmax(scores, weights)], weights };
}

/**
 * com.microsoft Attention projects its input itself and has no such output: it is written as the projection, its parts, and
 * MultiHeadAttention. For a text from its start, where nothing is in its cache.
 */
function packedAttention(model: Model, node: GraphNode): OpenedOperator | ClosedOperator {
  const [input, projection, bias, mask = '', , attentionBias = ''] = node.inputs;
  const sizes = node.attributes.get('qkv_hidden_sizes')?.value;
  if (Number(node.attributes.get('do_rotary')?.value ?? 0) !== 0) {
    return { why: 'turns queries and keys inside' };
  }
  const weights = weightsOf(node);
  const part = (name: string) => `${weights}/${name}`;
  const [queries, keys, values, scores] = ['queries', 'keys', 'values', 'scores'].map(part);
  const projected = bias ? part('projected') : part('product');
  const opset = model.opsets.get('') ?? 0;
  const split: NodeContent = Array.isArray(sizes)
    ? {
        opType: 'Split',
        inputs: [projected, part('sizes')],
        outputs: [queries, keys, values],
        attributes: { axis: -1 },
      }
    : {
        opType: 'Split',
        inputs: [projected],
        outputs: [queries, keys, values],
        attributes: { axis: -1, ...(opset >= 18 ? { num_outputs: 3 } : {}) },
      };
  const constants: NodeContent[] = Array.isArray(sizes)
    ? [{ opType: 'Constant', inputs: [], outputs: [part('sizes')], attributes: { value_ints: sizes } }]
    : [];
  const kept = new Set(['num_heads', 'unidirectional', 'scale', 'mask_filter_value']);
  const attributes = [...node.attributes].filter(([name]) => kept.has(name));
  return {
    nodes: [
      ...constants,
      { opType: 'MatMul', inputs: [input, projection], outputs: [part('product')] },
      ...(bias ? [{ opType: 'Add', inputs: [part('product'), bias], outputs: [projected] }] : []),
      split,
      {
        opType: 'MultiHeadAttention',
        domain: 'com.microsoft',
        inputs: trimmed([queries, keys, values, '', mask, attentionBias]),
        outputs: [node.outputs[0], '', '', scores],
        encodedAttributes: attributes.map(([, { record }]) => model.file.read(record)),
      },
      softmax(scores, weights),
    ],
    weights,
  };
}

/** The same node with one more output and these attributes. */
function rewritten(
  { file }: Model,
  { opType, domain, name, inputs, outputs, attributes }: GraphNode,
  scores: string,
  changed: Readonly<Record<string, number>>,
): NodeContent {
  const given = [0, 1, 2].map((index) => outputs[index] ?? '');
  const kept = [...attributes].filter(([attribute]) => !(attribute in changed));
  return {
    ...{ opType, domain, name, inputs },
    outputs: [...given, scores],
    attributes: changed,
    encodedAttributes: kept.map(([, { record }]) => file.read(record)),
  };
}

function softmax(scores: string, weights: string): NodeContent {
  return { opType: 'Softmax', inputs: [scores], outputs: [weights], attributes: { axis: -1 } };
}

/** A name that no exporter gives. */
function weightsOf({ outputs }: GraphNode): string {
  return `${outputs[0]}/headlight_weights`;
}

function trimmed(names: readonly string[]): readonly string[] {
  return names.slice(0, names.findLastIndex((name) => name !== '') + 1);
}
