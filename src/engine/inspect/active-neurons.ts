import { HeadlightError } from '../../protocol/errors';
import type { ActiveNeurons, NeuronsParams } from '../../protocol/stages';
import type { Anatomy, KeptPass } from '../runtime/anatomy';

/** Tokens of the passage that are named for each neuron. */
const EXCITING = 4;

/** The hidden units of a layer's feed-forward that a token excites most, and what excites them elsewhere in the passage. */
export async function activeNeurons(
  anatomy: Anatomy,
  pass: KeptPass,
  { layer, token, limit }: NeuronsParams,
): Promise<ActiveNeurons> {
  const length = pass.ids.length;
  if (!Number.isInteger(token) || token < 0 || token >= length) {
    throw new HeadlightError('argument-invalid', `There is no token ${token}; the passage has ${length}.`);
  }
  const tensors = await anatomy.neurons(pass, layer);
  if (tensors === null) {
    throw new HeadlightError(
      'graph-unsupported',
      `The feed-forward of layer ${layer} is not made of projections around an activation that could be told apart.`,
    );
  }
  const { activations, projections, width, activation } = tensors;
  const row = activations.subarray(token * width, (token + 1) * width);
  const strongest = Array.from(row.keys())
    .sort((a, b) => Math.abs(row[b]) - Math.abs(row[a]))
    .slice(0, limit);
  // A projection that gives more than one number a neuron, such as gate and value in one, is not spelled out.
  const spelled = projections.filter((projection) => projection.length === length * width);
  return {
    layer,
    token,
    width,
    activation,
    gated: projections.length > 1,
    active: row.reduce((count, value) => (value > 0 ? count + 1 : count), 0),
    neurons: strongest.map((neuron) => {
      const valueAt = (position: number) => activations[position * width + neuron];
      const exciting = Array.from({ length }, (_, position) => position)
        .sort((a, b) => Math.abs(valueAt(b)) - Math.abs(valueAt(a)) || a - b)
        .slice(0, EXCITING);
      return {
        neuron,
        projected: spelled.map((projection) => projection[token * width + neuron]),
        value: row[neuron],
        exciting: exciting.map((position) => ({ position, value: valueAt(position) })),
      };
    }),
  };
}
