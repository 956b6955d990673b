import type { Decoding } from '../../../../src/engine/runtime/decoding';
import { PrefixTree } from '../../../../src/engine/suggest/prefix-tree';
import { RememberingModel } from '../../../../src/engine/suggest/remembering-model';

/** How much more a scripted token is predicted than any other. */
const CERTAIN = 20;

/** A model that says what it is told to, whatever it reads, and counts what it reads. */
export class ScriptedModel {
  readonly model: RememberingModel;
  /** Tokens of each run, in their order. */
  readonly runs: number[] = [];
  private ids: number[] = [];

  /** @param next the token predicted behind some tokens */
  constructor(
    private readonly next: (ids: readonly number[]) => number,
    private readonly vocabSize: number,
    cacheBytes: number,
  ) {
    const { runs } = this;
    const decoding = {
      kind: 'buffered',
      bytesPerToken: 1,
      sharedWith: (ids: readonly number[]) => {
        const at = this.ids.findIndex((id, index) => id !== ids[index]);
        return at < 0 ? this.ids.length : at;
      },
      truncate: (length: number) => this.ids.splice(length),
      restore: (ids: readonly number[]) => this.ids.push(...ids),
      read: async (ids: readonly number[], wanted: number) => {
        runs.push(ids.length);
        this.ids.push(...ids);
        const lengths = Array.from({ length: wanted }, (_, row) => this.ids.length - wanted + row + 1);
        return {
          logits: lengths.map((length) => this.logitsBehind(this.ids.slice(0, length))),
          states: () => ids.map(() => new Uint8Array(1)),
        };
      },
    };
    const decoder = { decoding: async () => decoding as unknown as Decoding };
    this.model = new RememberingModel(decoder, new PrefixTree(cacheBytes));
  }

  private logitsBehind(ids: readonly number[]): Float32Array {
    const logits = new Float32Array(this.vocabSize);
    logits[this.next(ids)] = CERTAIN;
    return logits;
  }
}
