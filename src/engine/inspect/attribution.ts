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

/** What the logits at one position are made of, whichever of them are compared. */
interface Shares {
  readonly pass: KeptPass;
  readonly position: number;
  readonly sources: readonly AttributionSource[];
  /** [D] each, as the head reads them: the parts, then all biases alone, nothing (the head's bias alone), and the stream itself. */
  readonly rows: readonly Float32Array[];
  /** [R, V], of all rows; null where they are more than are held in memory at a time. */
  readonly logits: Float32Array | null;
}

/**
 * Direct logit attribution (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"): the stream before the
 * final norm is the sum of the embeddings and of all that heads and feed-forwards added, and once the norm's divisor is
 * known the logits are linear in that sum. The biases of norm and head are a part of their own, so that all parts add up.
 *
 * What was computed of the newest position is remembered: another pair of candidates there needs no run.
 */
export class LogitAttribution {
  private newest: Shares | null = null;

  constructor(
    private readonly anatomy: Anatomy,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** @throws HeadlightError `argument-invalid`, `cancelled`; `graph-unsupported` where the logits cannot be told apart */
  async of(
    pass: KeptPass,
    { position, target, against }: AttributionParams,
    cancellation?: Cancellation,
  ): Promise<Attribution> {
    const { sources, rows, logits } = await this.prepare(pass, position, cancellation);
    const differences = new Float64Array(rows.length);
    let total = 0;
    let [targetLogit, againstLogit] = [0, 0];
    const rowsAtOnce = logits === null ? this.rowsAtOnce : rows.length;
    for (let first = 0; first < rows.length; first += rowsAtOnce) {
      await pauseUnlessCancelled(cancellation);
      const count = Math.min(rowsAtOnce, rows.length - first);
      const chunk = logits ?? (await this.unembed(pass, rows.slice(first, first + count)));
      const vocabSize = chunk.length / count;
      for (const id of [target, against]) {
        if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
          throw new HeadlightError(
            'argument-invalid',
            `There is no token ${id}: the model's vocabulary ends at ${vocabSize - 1}.`,
          );
        }
      }
      for (let at = 0; at < count; at++) {
        const row = chunk.subarray(at * vocabSize, (at + 1) * vocabSize);
        differences[first + at] = row[target] - row[against];
        if (first + at === rows.length - 1) {
          total = logSumExp(row);
          [targetLogit, againstLogit] = [row[target], row[against]];
        }
      }
    }
    const headBias = differences[sources.length + 1];
    const described = (id: number, logit: number): LensToken => ({
      id,
      text: this.tokenizer.textOf(id),
      bytes: [...this.tokenizer.bytesOf(id)],
      probability: Math.exp(logit - total),
    });
    return {
      position,
      target: described(target, targetLogit),
      against: described(against, againstLogit),
      difference: targetLogit - againstLogit,
      parts: [
        ...sources.map((source, at) => ({ source, value: differences[at] - headBias })),
        { source: { kind: 'final-bias' } as const, value: differences[sources.length] },
      ],
    };
  }

  /** Computes all that does not depend on which candidates are compared. */
  async prepare(pass: KeptPass, position: number, cancellation?: Cancellation): Promise<Shares> {
    if (this.newest?.pass === pass && this.newest.position === position) {
      return this.newest;
    }
    const { sources, rows } = await rowsAt(this.anatomy, pass, position, cancellation);
    await pauseUnlessCancelled(cancellation);
    const logits = rows.length <= this.rowsAtOnce ? await this.unembed(pass, rows) : null;
    this.newest = { pass, position, sources, rows, logits };
    return this.newest;
  }

  private get rowsAtOnce(): number {
    return Math.max(1, Math.floor(LOGITS_AT_ONCE / this.tokenizer.vocabSize));
  }

  /** [R, V] */
  private unembed(pass: KeptPass, rows: readonly Float32Array[]): Promise<Float32Array> {
    const width = rows[0].length;
    const stacked = new Float32Array(rows.length * width);
    for (const [at, row] of rows.entries()) {
      stacked.set(row, at * width);
    }
    return this.anatomy.unembed(pass, stacked);
  }
}

async function rowsAt(
  anatomy: Anatomy,
  pass: KeptPass,
  position: number,
  cancellation?: Cancellation,
): Promise<Pick<Shares, 'sources' | 'rows'>> {
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
  return {
    sources: parts.map(({ source }) => source),
    rows: [
      ...parts.map(({ added }) => norm.apply(added)),
      Float32Array.from(norm.bias),
      new Float32Array(stream.length),
      normed,
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
