import type { HeadCombination } from '../../src/protocol/heads';
import type { AttentionStep, HeadStepMatrix } from '../../src/protocol/stages';
import type { HeadMatrix } from '../../src/protocol/trace';
import type { ColourMapName } from './colour-map';
import { formatNumber, formatWeight } from './number-format';

/** How the numbers of one step of the attention become colours and words. */
export interface StepScale {
  readonly step: AttentionStep;
  /** What one number is called. */
  readonly name: string;
  /** What happens in this step, in one sentence. */
  readonly sentence: string;
  readonly colours: ColourMapName;
  /** How the colours are spread. */
  readonly spread: 'linear' | '√ scale';
  /** Where a number lies in the colour map, 0–1. */
  readonly place: (value: number) => number;
  readonly ticks: readonly { readonly place: number; readonly label: string }[];
  readonly format: (value: number) => string;
  /** How a cell of several pairs comes to its number. */
  readonly merging: string;
  /** Whether pairs above the diagonal have a number too. */
  readonly full: boolean;
}

const SENTENCES: Readonly<Record<AttentionStep, string>> = {
  scores:
    'Every query is compared with every key: q·k, scaled by 1/√d so that it does not grow with d. Nothing is hidden yet.',
  masked: 'A token must not read what comes after it: those scores become −∞, and the rest stays as it is.',
  weights: 'The softmax turns each row into shares that sum to 1: e to the score, over the sum of the row.',
  weighted: 'Each share brings that token’s value vector. Its length ‖v‖ says how much arrives: weight × ‖v‖.',
};

const SUMMED = 'summed over keys, mean over queries';

/** Shares of 1 that are marked on the root scale. */
const ROOT_MARKS = [0, 0.05, 0.25, 0.5, 1];

/** Weights after the softmax: 0–1. */
export const WEIGHT_SCALE: StepScale = {
  step: 'weights',
  name: 'attention weight',
  sentence: SENTENCES.weights,
  colours: 'weight',
  spread: '√ scale',
  place: rootPlace(1),
  ticks: ROOT_MARKS.map((share) => ({ place: Math.sqrt(share), label: String(share).replace(/^0(?=\.)/, '') })),
  format: formatWeight,
  merging: SUMMED,
  full: false,
};

/** What the matrix of combined heads says, in one sentence. */
const COMBINED: Readonly<Record<HeadCombination, { readonly name: string; readonly sentence: string }>> = {
  'layer-mean': {
    name: 'mean weight',
    sentence: 'The mean of the weights of all heads of this layer; each row sums to 1.',
  },
  'layer-max': {
    name: 'largest weight',
    sentence: 'The largest weight that any head of this layer gives the pair; rows do not sum to 1.',
  },
  'model-mean': {
    name: 'mean weight',
    sentence: 'The mean of the weights of all heads of all layers; each row sums to 1.',
  },
  'model-max': {
    name: 'largest weight',
    sentence: 'The largest weight that any head of any layer gives the pair; rows do not sum to 1.',
  },
  rollout: {
    name: 'attention rollout',
    sentence:
      'Rollout (Abnar & Zuidema 2020) up to this layer: Ã = (½ · mean of the heads + ½ · I) · Ã of the layer below. It follows weights only, without values and feed-forward.',
  },
};

/** Weights of heads taken together: 0–1. */
export function combinedScale(combination: HeadCombination): StepScale {
  const merging = combination.endsWith('max') ? 'the largest of its pairs' : SUMMED;
  return { ...WEIGHT_SCALE, ...COMBINED[combination], merging };
}

/** The scale of a step; the end of its colours is a round number that nothing in the head exceeds. */
export function stepScale(matrix: HeadMatrix | HeadStepMatrix): StepScale {
  if (!('step' in matrix) || matrix.step === 'weights') {
    return WEIGHT_SCALE;
  }
  const { step } = matrix;
  const end = roundUp(matrix.extent);
  if (step === 'weighted') {
    return {
      step,
      name: 'weight × ‖v‖',
      sentence: SENTENCES.weighted,
      colours: 'weight',
      spread: '√ scale',
      place: rootPlace(end),
      ticks: ROOT_MARKS.map((share) => ({ place: Math.sqrt(share), label: shortNumber(share * end) })),
      format: formatNumber,
      merging: SUMMED,
      full: false,
    };
  }
  return {
    step,
    name: step === 'scores' ? 'score qkᵀ/√d' : 'masked score',
    sentence: SENTENCES[step],
    colours: 'score',
    spread: 'linear',
    place: (value) => 0.5 + 0.5 * Math.min(1, Math.max(-1, value / end)),
    ticks: [-1, 0, 1].map((share) => ({ place: 0.5 + 0.5 * share, label: shortNumber(share * end) })),
    format: (value) => (Number.isNaN(value) ? 'masked' : formatNumber(value)),
    merging: 'mean over its pairs',
    full: step === 'scores',
  };
}

function rootPlace(end: number): (value: number) => number {
  return (value) => Math.sqrt(Math.min(1, Math.max(0, value / end)));
}

/** The next number of one digit that ends in 1, 2, 3, 4, 5, 6 or 8. */
function roundUp(value: number): number {
  if (!(value > 0)) {
    return 1;
  }
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = [1, 2, 3, 4, 5, 6, 8, 10].find((candidate) => candidate * power >= value * (1 - 1e-6)) ?? 10;
  return digit * power;
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(2)))
    .replace('-', '−')
    .replace(/^(−?)0(?=\.)/, '$1');
}
