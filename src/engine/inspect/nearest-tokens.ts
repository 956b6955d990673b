import type { Pieces } from '../idle-work';
import type { Embedding } from '../onnx/embedding';
import type { Anatomy, KeptPass } from '../runtime/anatomy';
import { floatData } from '../runtime/tensors';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** Numbers of the table that are in memory at a time: 16 MB. */
const NUMBERS_AT_ONCE = 4_000_000;
/** Tokens that are remembered for each that was asked about. */
const REMEMBERED = 16;
/** Tokens whose neighbours are remembered. */
const MOST_REMEMBERED = 4096;
/** Tokens of a passage whose neighbours are found ahead. */
const MOST_PREPARED = 512;

/** A token of the vocabulary, and how nearly its row points where another's does. */
export interface NearToken {
  readonly id: number;
  /** a·b / (‖a‖ ‖b‖), from −1 to 1. */
  readonly cosine: number;
}

/**
 * Finds the tokens whose rows of the embedding matrix point most nearly where another's points, itself left out. The whole
 * vocabulary is compared; the rows are looked up by the model's own nodes, in whatever precision they are stored. What was
 * found is remembered: neighbours are the same in every passage.
 */
export class Neighbours {
  private readonly known = new Map<number, readonly NearToken[]>();

  constructor(private readonly anatomy: Anatomy) {}

  /** @returns most similar first, equal ones by lower id */
  async of(
    pass: KeptPass,
    embedding: Embedding,
    id: number,
    limit: number,
    cancellation?: Cancellation,
  ): Promise<readonly NearToken[]> {
    const known = this.known.get(id);
    if (known !== undefined && limit <= REMEMBERED) {
      return known.slice(0, limit);
    }
    const search = new Search(this.anatomy, pass, embedding, [id], Math.max(limit, REMEMBERED));
    for (const piece of search.pieces()) {
      await pauseUnlessCancelled(cancellation);
      await piece();
    }
    this.remember(search);
    return search.found[0].slice(0, limit);
  }

  /** Finds those of all tokens of a passage at once, a piece of the table at a time. */
  *preparation(pass: KeptPass, embedding: Embedding): Pieces {
    const ids = [...new Set(pass.ids)].filter((id) => !this.known.has(id)).slice(-MOST_PREPARED);
    if (ids.length === 0) {
      return;
    }
    const search = new Search(this.anatomy, pass, embedding, ids, REMEMBERED);
    yield* search.pieces();
    if (search.isComplete) {
      this.remember(search);
    }
  }

  private remember({ ids, found }: Search): void {
    for (const [at, id] of ids.entries()) {
      this.known.set(id, found[at].slice(0, REMEMBERED));
    }
    for (const oldest of [...this.known.keys()].slice(0, Math.max(0, this.known.size - MOST_REMEMBERED))) {
      this.known.delete(oldest);
    }
  }
}

/** One way through the table. */
class Search {
  /** Of each token, the nearest first. */
  readonly found: NearToken[][];
  private vectors: readonly Float32Array[] | null = null;
  private compared = 0;

  constructor(
    private readonly anatomy: Anatomy,
    private readonly pass: KeptPass,
    private readonly embedding: Embedding,
    readonly ids: readonly number[],
    private readonly limit: number,
  ) {
    this.found = ids.map(() => []);
  }

  /** False where a piece was left out, or failed. */
  get isComplete(): boolean {
    return this.compared === this.anatomy.config.vocabSize;
  }

  *pieces(): Pieces {
    const { vocabSize, hiddenSize } = this.anatomy.config;
    const perPiece = Math.max(1, Math.floor(NUMBERS_AT_ONCE / hiddenSize));
    for (let first = 0; first < vocabSize; first += perPiece) {
      yield () => this.compare(first, Math.min(perPiece, vocabSize - first));
    }
  }

  private async compare(first: number, count: number): Promise<void> {
    this.vectors ??= await this.vectorsOfTokens();
    const table = await this.lookUp(Array.from({ length: count }, (_, at) => first + at));
    // One more, since the token itself is among them.
    const near = await this.anatomy.nearestRows(table, this.vectors, this.limit + 1);
    for (const [at, id] of this.ids.entries()) {
      const more = near[at].map(({ row, cosine }) => ({ id: first + row, cosine })).filter((each) => each.id !== id);
      // Lower ids were found before, and a sort leaves equal ones in their order.
      this.found[at] = [...this.found[at], ...more].sort((a, b) => b.cosine - a.cosine).slice(0, this.limit);
    }
    this.compared += count;
  }

  private async vectorsOfTokens(): Promise<readonly Float32Array[]> {
    const rows = await this.lookUp(this.ids);
    const width = rows.length / this.ids.length;
    return this.ids.map((_, at) => rows.slice(at * width, (at + 1) * width));
  }

  /** [N, D] */
  private async lookUp(ids: readonly number[]): Promise<Float32Array> {
    const { index, rows } = this.embedding;
    const given = new Map([[index, this.anatomy.integers(ids, [1, ids.length])]]);
    return floatData((await this.anatomy.part(this.pass, 'embedding', given, [rows]))[rows]);
  }
}
