import assert from 'node:assert/strict';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { refuseOtherKinds } from '../../../../src/engine/onnx/graph-kind';
import { Topology } from '../../../../src/engine/onnx/topology';
import { GraphBuilder } from './graph-builder';
import { ModelFiles } from './model-files';

describe('kind of a graph', () => {
  const files = new ModelFiles();

  /** One self-attention over the tokens, and with `cross` one whose keys come from an encoder. */
  function graph(output: string, cross: boolean): GraphBuilder {
    const b = new GraphBuilder();
    const ids = b.input('input_ids', DataType.Int64, ['batch', 'T']);
    let stream = b.op('Gather', [b.random([9, 4], 1), ids]);
    const attend = (from: string) => {
      const [q, k, v] = [stream, from, from].map((name) => b.op('MatMul', [name, b.random([4, 4], 1)]));
      // Exporters shape the keys by the size of the batch that the tokens have.
      const batch = b.op('Shape', [ids], { start: 0, end: 1 });
      const shaped = b.op('Reshape', [k, b.op('Concat', [batch, b.int64([-1, 4])], { axis: 0 })]);
      const scores = b.op('MatMul', [q, b.op('Transpose', [shaped], { perm: [0, 2, 1] })]);
      stream = b.op('Add', [stream, b.op('MatMul', [b.op('Softmax', [scores], { axis: -1 }), v])]);
    };
    attend(stream);
    if (cross) {
      attend(b.input('encoder_hidden_states', DataType.Float32, ['batch', 'S', 4]));
      attend(stream);
    }
    b.rename(stream, output);
    b.output(output, DataType.Float32, ['batch', 'T', 4]);
    return b;
  }

  const check = (builder: GraphBuilder) => files.read(builder, (model) => refuseOtherKinds(new Topology(model)));

  it('names the decoder of an encoder–decoder, and does not mix up its attentions', () => {
    assert.throws(() => check(graph('logits', true)), {
      code: 'graph-unsupported',
      message:
        /decoder of an encoder–decoder model, with 1 cross-attentions .*\("encoder_hidden_states"\) beside 2 self/,
    });
  });

  it('names an encoder', () => {
    assert.throws(() => check(graph('last_hidden_state', false)), {
      code: 'graph-unsupported',
      message: /gives "last_hidden_state" and no logits: it is an encoder of 1 self-attentions/,
    });
  });

  it('lets a decoder pass', () => {
    check(graph('logits', false));
  });
});
