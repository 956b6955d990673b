import { HeadlightError } from '../../protocol/errors';
import type { NormsParams, NormsView, NormView } from '../../protocol/stages';
import type { NormSite } from '../onnx/layer-norms';
import type { Anatomy, KeptPass } from '../runtime/anatomy';
import { floatData } from '../runtime/tensors';

/** What a block's norms make of the stream at one token. */
export async function normsView(anatomy: Anatomy, pass: KeptPass, { layer, token }: NormsParams): Promise<NormsView> {
  const length = pass.ids.length;
  if (!Number.isInteger(token) || token < 0 || token >= length) {
    throw new HeadlightError('argument-invalid', `There is no token ${token}; the passage has ${length}.`);
  }
  // Says which layers there are, and which have their additions told apart.
  const { attention } = await anatomy.additions(pass, layer);
  const norms = anatomy.plan.norms[layer] ?? null;
  const start = anatomy.plan.parts[layer]!.before;
  const sites = [norms?.attention ?? null, norms?.feedForward ?? null];
  const names = sites.flatMap((site) => (site === null ? [] : [site.normed]));
  const given = new Map([[start, pass.stream[layer]]]);
  const run = names.length === 0 ? {} : await anatomy.part(pass, `norms ${layer}`, given, [...new Set(names)]);
  const stream = rowOf(floatData(pass.stream[layer]), token, length);
  const added = rowOf(attention, token, length);
  const view = (site: NormSite | null): NormView | null => {
    if (site === null) {
      return null;
    }
    const before = site.afterAttention ? stream.map((value, at) => value + added[at]) : stream;
    const mean = before.reduce((sum, value) => sum + value, 0) / before.length;
    const centre = site.kind === 'LayerNorm' ? mean : 0;
    const squares = before.reduce((sum, value) => sum + (value - centre) ** 2, 0);
    return {
      kind: site.kind,
      mean,
      divisor: Math.sqrt(squares / before.length),
      before,
      after: rowOf(floatData(run[site.normed]), token, length),
    };
  };
  return { layer, token, attention: view(sites[0]), feedForward: view(sites[1]) };
}

/** A copy of one token's row of [T, D]. */
function rowOf(tensor: Float32Array, token: number, length: number): Float32Array {
  const width = tensor.length / length;
  return tensor.slice(token * width, (token + 1) * width);
}
