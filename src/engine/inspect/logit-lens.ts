import { HeadlightError } from '../../protocol/errors';
import type { LensCell, LensParams, LogitLens } from '../../protocol/stages';
import type { TokenRange } from '../../protocol/trace';
import type { Tokenizer } from '../model/tokenizer';
import type { Anatomy, KeptPass } from '../runtime/anatomy';
import { floatData } from '../runtime/tensors';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** Numbers that are in memory at a time: 32 MB, or a hundred rows of a vocabulary of 80,000. */
const LOGITS_AT_ONCE = 8_000_000;

/**
 * The logit lens (nostalgebraist 2020): W_U · norm_f(h_l) for the residual stream h_l before the first layer and after
 * each, with the model's own final norm, its bias included, and the model's own head.
 */
export async function logitLens(
  anatomy: Anatomy,
  pass: KeptPass,
  tokenizer: Tokenizer,
  { positions, limit }: LensParams,
  cancellation?: Cancellation,
): Promise<LogitLens> {
  const length = pass.ids.length;
  if (!(positions.from >= 0 && positions.from < positions.to && positions.to <= length)) {
    throw new HeadlightError('argument-invalid', `The lens was asked for tokens that the passage of ${length} lacks.`);
  }
  const count = positions.to - positions.from;
  const depths = pass.stream.map((tensor) => floatData(tensor));
  if (depths.length === 0) {
    throw new HeadlightError('graph-unsupported', 'The residual stream was not found in this graph.');
  }
  const width = depths[0].length / length;
  const rowsAtOnce = Math.max(1, Math.floor(LOGITS_AT_ONCE / tokenizer.vocabSize));
  const cells: LensCell[] = [];
  for (let first = 0; first < depths.length * count; first += rowsAtOnce) {
    await pauseUnlessCancelled(cancellation);
    const rows = Math.min(rowsAtOnce, depths.length * count - first);
    const stacked = new Float32Array(rows * width);
    const positionOf = (row: number) => positions.from + ((first + row) % count);
    for (let row = 0; row < rows; row++) {
      const from = positionOf(row) * width;
      stacked.set(depths[Math.floor((first + row) / count)].subarray(from, from + width), row * width);
    }
    const logits = await anatomy.unembed(pass, await anatomy.norm(pass, stacked));
    const asked = Array.from({ length: rows }, (_, row) => pass.ids[positionOf(row) + 1] ?? null);
    for (const { ids, probabilities, own } of await anatomy.readLogits(logits, asked, limit)) {
      const tokens = ids.map((id, place) => ({
        id,
        text: tokenizer.textOf(id),
        bytes: [...tokenizer.bytesOf(id)],
        probability: probabilities[place],
      }));
      cells.push({ tokens, actual: own });
    }
  }
  return { positions, rows: depths.map((_, depth) => cells.slice(depth * count, (depth + 1) * count)) };
}

/** Candidates that are remembered of each cell. */
const REMEMBERED = 8;

/** Remembers what the lens has read off the passages that are kept, by position: a window that moves asks for what is new. */
export class Lens {
  /** Of each position the cells from the embeddings up. */
  private readonly known = new WeakMap<KeptPass, Map<number, readonly LensCell[]>>();

  constructor(
    private readonly anatomy: Anatomy,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** As `logitLens`. */
  async of(pass: KeptPass, params: LensParams, cancellation?: Cancellation): Promise<LogitLens> {
    const { positions, limit } = params;
    if (limit > REMEMBERED) {
      return logitLens(this.anatomy, pass, this.tokenizer, params, cancellation);
    }
    const known = this.known.get(pass) ?? new Map<number, readonly LensCell[]>();
    const unknown = range(positions).filter((position) => !known.has(position));
    if (unknown.length > 0 || positions.from >= positions.to) {
      // `logitLens` refuses what is no window.
      const missing = unknown.length === 0 ? positions : { from: unknown[0], to: unknown[unknown.length - 1] + 1 };
      const asked = { ...params, positions: missing, limit: REMEMBERED };
      const { rows } = await logitLens(this.anatomy, pass, this.tokenizer, asked, cancellation);
      for (const [at, position] of range(missing).entries()) {
        known.set(
          position,
          rows.map((cells) => cells[at]),
        );
      }
      this.known.set(pass, known);
    }
    const columns = range(positions).map((position) => known.get(position)!);
    const shortened = (cell: LensCell): LensCell => ({ ...cell, tokens: cell.tokens.slice(0, limit) });
    return { positions, rows: columns[0].map((_, depth) => columns.map((cells) => shortened(cells[depth]))) };
  }
}

function range({ from, to }: TokenRange): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);
}
