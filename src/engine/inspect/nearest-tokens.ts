import type { Embedding } from '../onnx/embedding';
import type { Anatomy, KeptPass } from '../runtime/anatomy';
import { floatData } from '../runtime/tensors';
import { type Cancellation, pauseUnlessCancelled } from './cancellation';

/** Numbers of the table that are in memory at a time: 16 MB. */
const NUMBERS_AT_ONCE = 4_000_000;

/** A token of the vocabulary, and how nearly its row points where another's does. */
export interface NearToken {
  readonly id: number;
  /** a·b / (‖a‖ ‖b‖), from −1 to 1. */
  readonly cosine: number;
}

/**
 * The tokens whose rows of the embedding matrix point most nearly where this one's points, itself left out. The whole
 * vocabulary is compared; the rows are looked up by the model's own nodes, in whatever precision they are stored.
 *
 * @returns most similar first, equal ones by lower id
 */
export async function nearestTokens(
  anatomy: Anatomy,
  pass: KeptPass,
  { index, rows }: Embedding,
  id: number,
  limit: number,
  cancellation?: Cancellation,
): Promise<readonly NearToken[]> {
  const { vocabSize } = anatomy.config;
  const lookUp = async (first: number, count: number): Promise<Float32Array> => {
    const ids = anatomy.integers(
      Array.from({ length: count }, (_, at) => first + at),
      [1, count],
    );
    return floatData((await anatomy.part(pass, 'embedding', new Map([[index, ids]]), [rows]))[rows]);
  };
  const own = await lookUp(id, 1);
  const width = own.length;
  const length = Math.hypot(...own);
  const perRun = Math.max(1, Math.floor(NUMBERS_AT_ONCE / width));
  const best: NearToken[] = [];
  for (let first = 0; first < vocabSize; first += perRun) {
    await pauseUnlessCancelled(cancellation);
    const count = Math.min(perRun, vocabSize - first);
    const table = await lookUp(first, count);
    for (let row = 0; row < count; row++) {
      let product = 0;
      let squares = 0;
      for (let at = 0, from = row * width; at < width; at++) {
        const value = table[from + at];
        product += value * own[at];
        squares += value * value;
      }
      const cosine = product / (Math.sqrt(squares) * length);
      if (first + row !== id && (best.length < limit || cosine > best[best.length - 1].cosine)) {
        let place = best.length;
        while (place > 0 && cosine > best[place - 1].cosine) {
          place--;
        }
        best.splice(place, 0, { id: first + row, cosine });
        best.length = Math.min(best.length, limit);
      }
    }
  }
  // A row of zeros points nowhere.
  return best.filter(({ cosine }) => Number.isFinite(cosine));
}

/** Tokens that are remembered for each that was asked about. */
const REMEMBERED = 16;
/** Tokens whose neighbours are remembered. */
const MOST_REMEMBERED = 256;

/** Remembers the neighbours of tokens: they are the same in every passage. */
export class Neighbours {
  private readonly known = new Map<number, readonly NearToken[]>();

  constructor(private readonly anatomy: Anatomy) {}

  /** As `nearestTokens`. */
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
    const count = Math.max(limit, REMEMBERED);
    const found = await nearestTokens(this.anatomy, pass, embedding, id, count, cancellation);
    this.known.set(id, found.slice(0, REMEMBERED));
    if (this.known.size > MOST_REMEMBERED) {
      this.known.delete(this.known.keys().next().value!);
    }
    return found.slice(0, limit);
  }
}
