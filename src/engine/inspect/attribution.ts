import { HeadlightError } from '../../protocol/errors';
import type { Attribution, AttributionParams, AttributionSource, LensToken } from '../../protocol/stages';
import type { Tokenizer } from '../model/tokenizer';
import type { Anatomy, KeptPass } from '../runtime/anatomy';
import { floatData } from '../runtime/tensors';
import { logSumExp } from '../sampling/softmax';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';
import { linearizeNorm } from './final-norm';

/** How far parts may be from what they should add up to, as a part of its largest number. */
const TOLERANCE = 1e-3;

interface Part {
  readonly source: AttributionSource;
  /** [D]: what it adds to the stream. */
  readonly added: Float32Array;
}

/** A passage, and what the model predicts after it, [V]. */
type PredictedPass = KeptPass & { readonly lastLogits: Float32Array };

/** What the logits at one position are made of, whichever of them are compared. */
interface Shares {
  readonly pass: KeptPass;
  readonly position: number;
  readonly sources: readonly AttributionSource[];
  /** [R, D], as the head reads them: the parts, then all biases alone, and nothing (the head's bias alone). */
  readonly rows: Float32Array;
  /** [V] of the stream itself. */
  readonly logits: Float32Array;
}

/**
 * Direct logit attribution (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"): the stream before the
 * final norm is the sum of the embeddings and of all that heads and feed-forwards added, and once the norm's divisor is
 * known the logits are linear in that sum. The biases of norm and head are a part of their own, so that all parts add up.
 *
 * What was computed of the newest position is remembered: another pair of candidates there takes their two columns of the
 * head alone.
 */
export class LogitAttribution {
  private newest: Shares | null = null;

  constructor(
    private readonly anatomy: Anatomy,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** @throws HeadlightError `argument-invalid`, `cancelled`; `graph-unsupported` where the logits cannot be told apart */
  async of(
    pass: PredictedPass,
    { position, target, against }: AttributionParams,
    cancellation?: Cancellation,
  ): Promise<Attribution> {
    const { sources, rows, logits } = await this.sharesAt(pass, position, cancellation);
    for (const id of [target, against]) {
      if (!Number.isInteger(id) || id < 0 || id >= logits.length) {
        throw new HeadlightError(
          'argument-invalid',
          `There is no token ${id}: the model's vocabulary ends at ${logits.length - 1}.`,
        );
      }
    }
    await pauseUnlessCancelled(cancellation);
    const pairs = await this.anatomy.unembedTo(pass, rows, [target, against]);
    const pushOf = (row: number) => pairs[2 * row] - pairs[2 * row + 1];
    const headBias = pushOf(sources.length + 1);
    const total = logSumExp(logits);
    const described = (id: number): LensToken => ({
      id,
      text: this.tokenizer.textOf(id),
      bytes: [...this.tokenizer.bytesOf(id)],
      probability: Math.exp(logits[id] - total),
    });
    return {
      position,
      target: described(target),
      against: described(against),
      difference: logits[target] - logits[against],
      parts: [
        ...sources.map((source, at) => ({ source, value: pushOf(at) - headBias })),
        { source: { kind: 'final-bias' } as const, value: pushOf(sources.length) },
      ],
    };
  }

  /** Computes all that does not depend on which candidates are compared. */
  private async sharesAt(pass: PredictedPass, position: number, cancellation?: Cancellation): Promise<Shares> {
    if (this.newest?.pass === pass && this.newest.position === position) {
      return this.newest;
    }
    const { sources, rows, normed } = await rowsAt(this.anatomy, pass, position, cancellation);
    await pauseUnlessCancelled(cancellation);
    const isLast = position === pass.ids.length - 1;
    const logits = isLast ? pass.lastLogits : await this.anatomy.unembed(pass, normed);
    this.newest = { pass, position, sources, rows, logits };
    return this.newest;
  }
}

async function rowsAt(
  anatomy: Anatomy,
  pass: KeptPass,
  position: number,
  cancellation?: Cancellation,
): Promise<Pick<Shares, 'sources' | 'rows'> & { readonly normed: Float32Array }> {
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
  const nothing = new Float32Array(stream.length);
  const rows = [...parts.map(({ added }) => norm.apply(added)), norm.bias, nothing];
  const stacked = new Float32Array(rows.length * stream.length);
  for (const [at, row] of rows.entries()) {
    stacked.set(row, at * stream.length);
  }
  return { sources: parts.map(({ source }) => source), rows: stacked, normed };
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
