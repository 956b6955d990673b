import type { AttributeContent, NodeContent, ValueContent } from './build';
import { DataType } from './data-type';

/** The input that names what follows: int64 [R], a token id for each row of logits; empty where nothing is scored. */
export const TARGETS_INPUT = 'headlight.targets';
/**
 * The output with the scores: float32 [R, 4]. With x = l − max l for the logits l of a row: Σ e^x, Σ x·e^x, the target's x, and
 * how many logits are above the target's. From these follow probability and entropy without an error that is common to the
 * whole vocabulary, as a rounded logarithm of the sum would be.
 */
export const SCORES_OUTPUT = 'headlight.scores';
/** The output with the last row of logits that was scored: float32 [1, V]; without rows where nothing is scored. */
export const LAST_LOGITS_OUTPUT = 'headlight.last_logits';

/** Numbers of a row of scores. */
export const SCORES_OF_ROW = 4;
/** Sums take their axes as an input from this opset on. */
export const SCORING_OPSET = 13;

/** Logits that are worked on at a time: 4 MB, which stay in a processor's cache, and several rows for its cores. */
const LOGITS_AT_ONCE = 1 << 20;
/** Stands for x = −∞ in x·e^x, which would be no number: from −104 on e^x is 0 in single precision. */
const VANISHING = -1000;

/** Nodes at the end of a graph that read its logits, and what they read and give. */
export interface Scoring {
  readonly nodes: readonly NodeContent[];
  readonly inputs: readonly ValueContent[];
  readonly outputs: readonly ValueContent[];
}

/**
 * Reads logits where they are: what comes out of a run is a few numbers for each row instead of a vocabulary, whose memory
 * and copying can take longer than the model. A block of rows at a time, so that it takes no memory to speak of.
 *
 * @param logits name of the tensor [.., R, V], of floating-point numbers
 * @param opset the graph's version of the standard operators, from `SCORING_OPSET` on
 */
export function scoringOf(logits: string, vocabSize: number, opset: number): Scoring {
  const name = (of: string) => `headlight.scoring.${of}`;
  const rowsAtOnce = Math.max(1, Math.round(LOGITS_AT_ONCE / vocabSize));
  const parts = divisorNearRoot(vocabSize);
  const constant = (of: string, values: readonly number[]): NodeContent => ({
    ...{ opType: 'Constant', inputs: [], outputs: [name(of)] },
    attributes: { value_ints: values },
  });
  const node = (
    opType: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, AttributeContent>> = {},
  ): NodeContent => ({
    ...{ opType, inputs, outputs: [output], name: output },
    attributes,
  });
  // In two steps, so that no sum has very many terms, each of which is rounded.
  const sum = (numbers: string, total: string) => [
    node('Reshape', [name(numbers), name('partsShape')], name(`${numbers}Parts`)),
    node('ReduceSum', [name(`${numbers}Parts`), name('last')], name(`${numbers}Sums`)),
    node('ReduceSum', [name(`${numbers}Sums`), name('partsAxis')], name(total), { keepdims: 0 }),
  ];
  const body = [
    node('Reshape', [name('block'), name('one')], name('block1')),
    node('Mul', [name('block1'), name('size')], name('from')),
    node('Add', [name('from'), name('size')], name('to')),
    node('Slice', [logits, name('from'), name('to'), name('rowAxis')], name('cut')),
    node('Reshape', [name('cut'), name('rowsShape')], name('shaped')),
    node('Cast', [name('shaped')], name('rows'), { to: DataType.Float32 }),
    node('Slice', [TARGETS_INPUT, name('from'), name('to'), name('first')], name('ids')),
    node('Reshape', [name('ids'), name('columnShape')], name('targets')),
    opset < 18
      ? node('ReduceMax', [name('rows')], name('largest'), { axes: [-1] })
      : node('ReduceMax', [name('rows'), name('last')], name('largest')),
    node('Sub', [name('rows'), name('largest')], name('below')),
    node('Max', [name('below'), name('vanishing')], name('shifted')),
    node('Exp', [name('shifted')], name('masses')),
    ...sum('masses', 'total'),
    node('Mul', [name('masses'), name('shifted')], name('terms')),
    ...sum('terms', 'weighted'),
    node('GatherElements', [name('below'), name('targets')], name('own'), { axis: -1 }),
    // Of the logits themselves: their differences may be rounded to the same number.
    node('GatherElements', [name('rows'), name('targets')], name('target'), { axis: -1 }),
    node('Greater', [name('rows'), name('target')], name('isAbove')),
    node('Cast', [name('isAbove')], name('ones'), { to: DataType.Float32 }),
    ...sum('ones', 'above'),
    node('Concat', ['total', 'weighted', 'own', 'above'].map(name), name('scores'), { axis: -1 }),
    node('Concat', [name('before'), name('scores')], name('after'), { axis: 0 }),
    node('Slice', [name('rows'), name('last'), name('end'), name('first')], name('lastRow')),
    node('Identity', [name('condition')], name('goesOn')),
  ];
  return {
    nodes: [
      ...[constant('one', [1]), constant('size', [rowsAtOnce]), constant('rowAxis', [-2]), constant('last', [-1])],
      ...[
        constant('rowsShape', [-1, vocabSize]),
        constant('columnShape', [-1, 1]),
        constant('partsShape', [-1, parts, vocabSize / parts]),
        constant('partsAxis', [1]),
        constant('first', [0]),
      ],
      ...[constant('end', [2 ** 31 - 1]), constant('none', [0, SCORES_OF_ROW]), constant('noRow', [0, vocabSize])],
      constant('roundingUp', [rowsAtOnce - 1]),
      node('Constant', [], name('vanishing'), { value_float: { float: VANISHING } }),
      node('Shape', [TARGETS_INPUT], name('count')),
      node('Add', [name('count'), name('roundingUp')], name('most')),
      node('Div', [name('most'), name('size')], name('blocks')),
      node('ConstantOfShape', [name('none')], name('noScores')),
      node('ConstantOfShape', [name('noRow')], name('noLogits')),
      {
        ...{ opType: 'Loop', name: name('loop'), inputs: [name('blocks'), '', name('noScores'), name('noLogits')] },
        outputs: [SCORES_OUTPUT, LAST_LOGITS_OUTPUT],
        attributes: {
          body: {
            graph: {
              name: name('body'),
              nodes: body,
              inputs: [
                { name: name('block'), elementType: DataType.Int64, dims: [] },
                { name: name('condition'), elementType: DataType.Bool, dims: [] },
                { name: name('before'), elementType: DataType.Float32, dims: [name('scored'), SCORES_OF_ROW] },
                { name: name('lastBefore'), elementType: DataType.Float32, dims: [name('oneOrNone'), vocabSize] },
              ],
              outputs: [
                { name: name('goesOn'), elementType: DataType.Bool, dims: [] },
                { name: name('after'), elementType: DataType.Float32, dims: [name('scoredNow'), SCORES_OF_ROW] },
                { name: name('lastRow'), elementType: DataType.Float32, dims: [1, vocabSize] },
              ],
            },
          },
        },
      },
    ],
    inputs: [{ name: TARGETS_INPUT, elementType: DataType.Int64, dims: [TARGETS_INPUT] }],
    outputs: [{ name: SCORES_OUTPUT }, { name: LAST_LOGITS_OUTPUT }],
  };
}

/** The largest divisor up to the square root. */
function divisorNearRoot(count: number): number {
  let divisor = Math.floor(Math.sqrt(count));
  while (count % divisor !== 0) {
    divisor--;
  }
  return divisor;
}

/** The input of `scoringGraph` with the logits: float32 [R, V]. */
export const LOGITS_INPUT = 'logits';
const OWN_OPSET = 17;

/** The same as a graph of its own, for logits that are given. */
export function scoringGraph(vocabSize: number): Scoring & { readonly opset: number } {
  const { nodes, inputs, outputs } = scoringOf(LOGITS_INPUT, vocabSize, OWN_OPSET);
  const logits = { name: LOGITS_INPUT, elementType: DataType.Float32, dims: ['rows', vocabSize] };
  return { nodes, inputs: [logits, ...inputs], outputs, opset: OWN_OPSET };
}
