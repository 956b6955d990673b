import path from 'node:path';
import ort from 'onnxruntime-node';

/** A model decoded as the runtime's own examples do it: every present output is the next step's past. */
export class PlainLoop {
  private constructor(
    private readonly session: ort.InferenceSession,
    private readonly empty: readonly number[],
  ) {}

  static async open(graphFile: string, { kvHeads, headDim }: { kvHeads: number; headDim: number }): Promise<PlainLoop> {
    const session = await ort.InferenceSession.create(path.resolve(graphFile), { logSeverityLevel: 3 });
    return new PlainLoop(session, [1, kvHeads, 0, headDim]);
  }

  /**
   * @param past of an earlier step; null at the start
   * @param length how many tokens it holds
   * @returns every output: the logits of all tokens that were read, and the next step's past
   */
  async step(
    ids: readonly number[],
    past: ort.InferenceSession.ReturnType | null,
    length: number,
  ): Promise<ort.InferenceSession.ReturnType> {
    const feeds: Record<string, ort.Tensor> = {};
    for (const name of this.session.inputNames) {
      feeds[name] = this.input(name, ids, past, length);
    }
    return this.session.run(feeds);
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  private input(
    name: string,
    ids: readonly number[],
    past: ort.InferenceSession.ReturnType | null,
    length: number,
  ): ort.Tensor {
    const integers = (values: readonly number[]) =>
      new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
    switch (name) {
      case 'input_ids':
        return integers(ids);
      case 'attention_mask':
        return integers(new Array(length + ids.length).fill(1));
      case 'position_ids':
        return integers(ids.map((_, index) => length + index));
      default:
        return past === null
          ? new ort.Tensor('float32', new Float32Array(), this.empty)
          : (past[name.replace('past_key_values', 'present')] as ort.Tensor);
    }
  }
}
