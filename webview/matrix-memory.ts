import type { HeadMatrix } from '../src/protocol/trace';

/** Of all matrices that are kept: sixteen heads at 512 tokens, or every head of a short passage. */
const MOST_BYTES = 16 * 2 ** 20;

/** The matrices that the engine answered about one trace, by their question. The one that was wanted last goes last. */
export class MatrixMemory {
  #traceId: number | null = null;
  #bytes = 0;
  readonly #kept = new Map<string, HeadMatrix>();

  find(traceId: number, question: string): HeadMatrix | null {
    const matrix = traceId === this.#traceId ? this.#kept.get(question) : undefined;
    if (matrix === undefined) {
      return null;
    }
    this.#kept.delete(question);
    this.#kept.set(question, matrix);
    return matrix;
  }

  has(traceId: number, question: string): boolean {
    return traceId === this.#traceId && this.#kept.has(question);
  }

  /** Another trace than before: what was kept of that one goes. */
  add(traceId: number, question: string, matrix: HeadMatrix): void {
    if (traceId !== this.#traceId) {
      this.#traceId = traceId;
      this.#kept.clear();
      this.#bytes = 0;
    }
    this.#drop(question);
    this.#kept.set(question, matrix);
    this.#bytes += matrix.weights.byteLength;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MOST_BYTES || oldest === question) {
        break;
      }
      this.#drop(oldest);
    }
  }

  #drop(question: string): void {
    const matrix = this.#kept.get(question);
    if (matrix !== undefined) {
      this.#kept.delete(question);
      this.#bytes -= matrix.weights.byteLength;
    }
  }
}
