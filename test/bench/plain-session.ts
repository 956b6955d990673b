import path from 'node:path';
import ort from 'onnxruntime-node';

/** A model as the runtime alone runs it: the file as it is, logits only. */
export class PlainSession {
  private constructor(
    private readonly session: ort.InferenceSession,
    private readonly layers: number,
    private readonly heads: number,
    private readonly headDim: number,
  ) {}

  static async open(
    graphFile: string,
    { layers, heads, headDim }: { layers: number; heads: number; headDim: number },
  ): Promise<PlainSession> {
    const session = await ort.InferenceSession.create(path.resolve(graphFile), { logSeverityLevel: 3 });
    return new PlainSession(session, layers, heads, headDim);
  }

  /** [T, V] */
  async logits(ids: Uint32Array): Promise<Float32Array> {
    const dims = [1, ids.length];
    const feeds: Record<string, ort.Tensor> = {
      input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), dims),
      attention_mask: new ort.Tensor('int64', new BigInt64Array(ids.length).fill(1n), dims),
      position_ids: new ort.Tensor(
        'int64',
        BigInt64Array.from(ids, (_, i) => BigInt(i)),
        dims,
      ),
    };
    for (let layer = 0; layer < this.layers; layer++) {
      for (const kind of ['key', 'value']) {
        const empty = new ort.Tensor('float32', new Float32Array(0), [1, this.heads, 0, this.headDim]);
        feeds[`past_key_values.${layer}.${kind}`] = empty;
      }
    }
    const wanted = Object.fromEntries(this.session.inputNames.map((name) => [name, feeds[name]]));
    const { logits } = await this.session.run(wanted, ['logits']);
    return logits.data as Float32Array;
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}
