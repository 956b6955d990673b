import { HeadlightError } from '../../protocol/errors';
import type { Attribution, AttributionParams, AttributionSource, LensToken } from '../../protocol/stages';
import type { Tokenizer } from '../model/tokenizer';
import type { Anatomy, KeptPass } from '../runtime/anatomy';
import { floatData } from '../runtime/tensors';
import { logSumExp } from '../sampling/softmax';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';
import { linearizeNorm } from './final-norm';

/** Logits that are in memory at a time: 16 MB, or 80 rows of a vocabulary of 50,000. */
const LOGITS_AT_ONCE = 4_000_000;
/** How far parts may be from what they should add up to, as a part of its largest number. */
const TOLERANCE = 1e-3;

interface Part {
  readonly source: AttributionSource;
  /** [D]: what it adds to the stream. */
  readonly added: Float32Array;
}

/**
 * Direct logit attribution (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"): the stream before the
 * final norm is the sum of the embeddings and of all that heads and feed-forwards added, and once the norm's divisor is
 * known the logits are linear in that sum. The biases of norm and head are a part of their own, so that all parts add up.
 */
export async function attributeLogits(
  anatomy: Anatomy,
  pass: KeptPass,
  tokenizer: Tokenizer,
  { position, target, against }: AttributionParams,
  cancellation?: Cancellation,
): Promise<Attribution> {
  const length = pass.ids.length;
  if (!Number.isInteger(position) || position < 0 || position >= length) {
    throw new HeadlightError('argument-invalid', `There is no token ${position}; the passage has ${length}.`);
  }
  if (pass.stream.length === 0) {
    throw new HeadlightError('graph-unsupported', 'The residual stream was not found in this graph.');
  }
  if (!anatomy.isUnembeddingLinear) {
    throw new HeadlightError(
      'graph-unsupported',
      'This model bends its logits after the head (a softcap), so that they are no sum of what the layers added.',
    );
  }
  const last = pass.stream.length - 1;
  const streamAt = (depth: number) => rowOf(floatData(pass.stream[depth]), position, length);
  const parts: Part[] = [{ source: { kind: 'embedding' }, added: streamAt(0) }];
  for (let layer = 0; layer < last; layer++) {
    await pauseUnlessCancelled(cancellation);
    parts.push(...(await partsOfLayer(anatomy, pass, layer, position)));
  }
  const stream = streamAt(last);
  checkSum(stream, parts);
  const normed = await anatomy.norm(pass, stream);
  const norm = await linearizeNorm(anatomy, pass, stream, normed);

  const width = stream.length;
  // After the parts: all biases alone, the head's bias alone, and the stream itself.
  const rows = [
    ...parts.map(({ added }) => norm.apply(added)),
    Float32Array.from(norm.bias),
    new Float32Array(width),
    normed,
  ];
  const differences = new Float64Array(rows.length);
  let total = 0;
  let [targetLogit, againstLogit] = [0, 0];
  const rowsAtOnce = Math.max(1, Math.floor(LOGITS_AT_ONCE / tokenizer.vocabSize));
  for (let first = 0; first < rows.length; first += rowsAtOnce) {
    await pauseUnlessCancelled(cancellation);
    const chunk = rows.slice(first, first + rowsAtOnce);
    const stacked = new Float32Array(chunk.length * width);
    for (const [at, row] of chunk.entries()) {
      stacked.set(row, at * width);
    }
    const logits = await anatomy.unembed(pass, stacked);
    const vocabSize = logits.length / chunk.length;
    for (const id of [target, against]) {
      if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
        throw new HeadlightError(
          'argument-invalid',
          `There is no token ${id}: the model's vocabulary ends at ${vocabSize - 1}.`,
        );
      }
    }
    for (let at = 0; at < chunk.length; at++) {
      const row = logits.subarray(at * vocabSize, (at + 1) * vocabSize);
      differences[first + at] = row[target] - row[against];
      if (first + at === rows.length - 1) {
        total = logSumExp(row);
        [targetLogit, againstLogit] = [row[target], row[against]];
      }
    }
  }
  const headBias = differences[parts.length + 1];
  const described = (id: number, logit: number): LensToken => ({
    id,
    text: tokenizer.textOf(id),
    bytes: [...tokenizer.bytesOf(id)],
    probability: Math.exp(logit - total),
  });
  return {
    position,
    target: described(target, targetLogit),
    against: described(against, againstLogit),
    difference: targetLogit - againstLogit,
    parts: [
      ...parts.map(({ source }, at) => ({ source, value: differences[at] - headBias })),
      { source: { kind: 'final-bias' } as const, value: differences[parts.length] },
    ],
  };
}

/** What the heads and the feed-forward of a layer added to the stream at one position. */
async function partsOfLayer(anatomy: Anatomy, pass: KeptPass, layer: number, position: number): Promise<Part[]> {
  const length = pass.ids.length;
  const { attention, feedForward } = await anatomy.additions(pass, layer);
  const added = rowOf(attention, position, length);
  const byHead = await headParts(anatomy, pass, layer, position, added);
  return [
    ...(byHead ?? [{ source: { kind: 'attention', layer } as const, added }]),
    ...(feedForward.length === 0
      ? []
      : [{ source: { kind: 'feed-forward', layer } as const, added: rowOf(feedForward, position, length) }]),
  ];
}

/** Null where the heads do not add up to what the attention adds, as with a norm after the projection. */
async function headParts(
  anatomy: Anatomy,
  pass: KeptPass,
  layer: number,
  position: number,
  added: Float32Array,
): Promise<Part[] | null> {
  const width = added.length;
  let rows: Float32Array;
  try {
    rows = await anatomy.headAdditions(pass, layer, position);
  } catch (error) {
    if (error instanceof HeadlightError && error.code === 'graph-unsupported') {
      return null;
    }
    throw error;
  }
  const heads = rows.length / width - 1;
  const parts = Array.from({ length: heads + 1 }, (_, row): Part => {
    const source: AttributionSource =
      row < heads ? { kind: 'head', layer, head: row } : { kind: 'attention-bias', layer };
    return { source, added: rows.subarray(row * width, (row + 1) * width) };
  });
  return differenceOf(added, parts) <= TOLERANCE * largest(added) ? parts : null;
}

function checkSum(stream: Float32Array, parts: readonly Part[]): void {
  if (!(differenceOf(stream, parts) <= TOLERANCE * largest(stream))) {
    throw new HeadlightError(
      'graph-unsupported',
      'What was found of the layers does not add up to the residual stream, so that its parts cannot be told apart.',
    );
  }
}

function differenceOf(sum: Float32Array, parts: readonly Part[]): number {
  const missing = Float64Array.from(sum);
  for (const { added } of parts) {
    for (let at = 0; at < missing.length; at++) {
      missing[at] -= added[at];
    }
  }
  return largest(missing);
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let at = 0; at < values.length; at++) {
    most = Math.max(most, Math.abs(values[at]));
  }
  return most;
}

/** One token's row of a tensor [T, D]. */
function rowOf(tensor: Float32Array, position: number, length: number): Float32Array {
  const width = tensor.length / length;
  return tensor.subarray(position * width, (position + 1) * width);
}
