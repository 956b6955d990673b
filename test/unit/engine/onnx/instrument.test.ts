import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { encodeModel } from '../../../../src/engine/onnx/build';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { readModel } from '../../../../src/engine/onnx/graph';
import { HANDED_ROWS_INPUT, type InstrumentedModel, instrument } from '../../../../src/engine/onnx/instrument';
import { ModelFile } from '../../../../src/engine/onnx/model-file';
import { GraphField, ModelField, TensorField } from '../../../../src/engine/onnx/schema';
import { LAST_LOGITS_OUTPUT, SCORES_OUTPUT, scoringOf } from '../../../../src/engine/onnx/scoring';
import { Topology } from '../../../../src/engine/onnx/topology';
import { WireType, WireWriter } from '../../../../src/engine/onnx/wire';
import type { HeadlightError } from '../../../../src/protocol/errors';
import { buildDecoder } from './decoder-models';
import { bytesOf, GraphBuilder } from './graph-builder';
import { ModelFiles } from './model-files';

describe('instrumented models', () => {
  const files = new ModelFiles();

  function instrumented(file: string, expose: readonly string[], onlyTheirs = false): InstrumentedModel {
    const opened = ModelFile.open(file);
    try {
      const model = readModel(opened);
      return instrument(model, onlyTheirs ? { expose, keep: new Topology(model).ancestors(expose) } : { expose });
    } finally {
      opened.close();
    }
  }

  async function outputs({ bytes, folder }: InstrumentedModel, feeds: Record<string, ort.Tensor>) {
    const session = await ort.InferenceSession.create(bytes, {
      logSeverityLevel: 3,
      extra: { session: { model_external_initializers_file_folder_path: folder } },
    });
    const results = await session.run(feeds);
    await session.release();
    return results;
  }

  const decoderFeeds = {
    input_ids: new ort.Tensor('int64', BigInt64Array.of(3n, 1n, 4n, 1n, 5n), [1, 5]),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(5).fill(1n), [1, 5]),
  };

  it('gives the same logits and the exposed tensors, without a copy of the weights', async () => {
    const { builder, tensors } = buildDecoder({ layers: 2, heads: 2, headDim: 32, vocabSize: 97, contextLength: 64 });
    const file = files.write(builder);
    const plain = await ort.InferenceSession.create(file, { logSeverityLevel: 3 });
    const expected = await plain.run(decoderFeeds);
    await plain.release();
    const model = instrumented(file, [...tensors.weights, 'logits']);
    assert.ok(model.bytes.length < 40_000, `${model.bytes.length} bytes`);
    const results = await outputs(model, decoderFeeds);
    assert.deepEqual(Object.keys(results).sort(), ['logits', ...tensors.weights].sort());
    const worst = expected.logits.data as Float32Array;
    (results.logits.data as Float32Array).forEach((value, index) => {
      assert.ok(Math.abs(value - worst[index]) < 1e-5);
    });
    assert.deepEqual(results[tensors.weights[0]].dims, [1, 2, 5, 5]);
  });

  it('reads inner tensors before the logits, the last first, so that the runtime need not keep them all', () => {
    const { builder, tensors } = buildDecoder({ layers: 3, heads: 2, headDim: 32, vocabSize: 97, contextLength: 64 });
    const opened = ModelFile.open(files.write(builder));
    const rowsOf = new Map(tensors.weights.map((name, layer) => [name, `rows.${layer}`]));
    const { bytes } = instrument(readModel(opened), { expose: [], rowsOf, scoring: scoringOf('logits', 97, 17) });
    opened.close();
    const written = ModelFile.open(files.write(bytes, 'ordered.onnx'));
    // The runtime begins with what the last node of a file needs.
    const last = readModel(written)
      .graph.nodes.slice(-4)
      .flatMap(({ outputs: names }) => names);
    written.close();
    assert.deepEqual(last, [SCORES_OUTPUT, LAST_LOGITS_OUTPUT, 'rows.2', 'rows.1', 'rows.0']);
  });

  it('hands out the rows of inner tensors that are asked for, or none', async () => {
    const { builder, tensors } = buildDecoder({ layers: 2, heads: 2, headDim: 32, vocabSize: 97, contextLength: 64 });
    const opened = ModelFile.open(files.write(builder));
    const rowsOf = new Map(tensors.weights.map((name, layer) => [name, `rows.${layer}`]));
    const model = instrument(readModel(opened), { expose: tensors.weights, rowsOf });
    opened.close();
    for (const wanted of [[0, 1, 2, 3, 4], [3], []]) {
      const rows = new ort.Tensor('int64', BigInt64Array.from(wanted, BigInt), [wanted.length]);
      const results = await outputs(model, { ...decoderFeeds, [HANDED_ROWS_INPUT]: rows });
      for (const [layer, name] of tensors.weights.entries()) {
        const whole = results[name].data as Float32Array;
        const given = results[`rows.${layer}`];
        assert.deepEqual(given.dims, [1, 2, wanted.length, 5]);
        const expected = [0, 1].flatMap((head) =>
          wanted.flatMap((row) => [...whole.subarray((head * 5 + row) * 5, (head * 5 + row + 1) * 5)]),
        );
        assert.deepEqual([...(given.data as Float32Array)], expected);
      }
    }
  });

  it('leaves out what the exposed tensors do not need', async () => {
    const { builder, tensors } = buildDecoder({ layers: 2, heads: 2, headDim: 32, vocabSize: 97, contextLength: 64 });
    const file = files.write(builder);
    const whole = instrumented(file, [tensors.weights[0]]);
    const part = instrumented(file, [tensors.weights[0]], true);
    assert.ok(part.bytes.length < whole.bytes.length);
    const results = await outputs(part, decoderFeeds);
    assert.deepEqual(Object.keys(results), [tensors.weights[0]]);
  });

  /** y = x + w, where `w` is 600 numbers from 0 on that stand in a file of their own from byte 4 on. */
  const NUMBERS = Float32Array.from({ length: 600 }, (_, index) => index);
  function sumModel(location: string, length = NUMBERS.byteLength): Uint8Array {
    return encodeModel({
      irVersion: 8,
      opsets: [['', 17]],
      graph: {
        nodes: [{ opType: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
        inputs: [{ name: 'x', elementType: DataType.Float32, dims: [600] }],
        outputs: [{ name: 'y', elementType: DataType.Float32, dims: [600] }],
        initializers: [{ name: 'w', dataType: DataType.Float32, dims: [600], data: { location, offset: 4, length } }],
      },
    }).finish();
  }
  const weightFile = () => Buffer.concat([Buffer.alloc(4), bytesOf(NUMBERS)]);
  const ones = { x: new ort.Tensor('float32', new Float32Array(600).fill(1), [600]) };

  it('keeps weights that stand in another file', async () => {
    mkdirSync(files.path('weights'));
    writeFileSync(files.path('weights/sum.data'), weightFile());
    const { y } = await outputs(instrumented(files.write(sumModel('weights/sum.data'), 'sum.onnx'), []), ones);
    assert.equal(y.data[599], 600);
  });

  it('follows the links of a download cache', async () => {
    mkdirSync(files.path('blobs'));
    mkdirSync(files.path('snapshot'));
    writeFileSync(files.path('blobs/a1'), sumModel('model.onnx_data'));
    writeFileSync(files.path('blobs/b2'), weightFile());
    symlinkSync('../blobs/a1', files.path('snapshot/model.onnx'));
    symlinkSync('../blobs/b2', files.path('snapshot/model.onnx_data'));
    const { y } = await outputs(instrumented(files.path('snapshot/model.onnx'), []), ones);
    assert.equal(y.data[599], 600);
  });

  function refuses(location: string, sentence: RegExp, code: HeadlightError['code'] = 'model-invalid'): void {
    const file = files.write(sumModel(location), 'refused.onnx');
    assert.throws(
      () => instrumented(file, []),
      (error: HeadlightError) => error.code === code && sentence.test(error.message),
    );
  }

  it('refuses weights outside of the model folder', () => {
    for (const location of [
      '../w.data',
      '/etc/passwd',
      'C:\\w.data',
      '\\\\host\\w',
      'weights/../../w.data',
      '..\\w.data',
    ]) {
      refuses(location, /outside of the model's folder/);
    }
    mkdirSync(files.path('inner'));
    writeFileSync(files.path('outer.data'), weightFile());
    symlinkSync('../outer.data', files.path('inner/w.data'));
    writeFileSync(files.path('inner/model.onnx'), sumModel('w.data'));
    assert.throws(() => instrumented(files.path('inner/model.onnx'), []), /outside of the model's folder/);
  });

  it('refuses weights that are not there, or not whole', () => {
    refuses(
      'absent.data',
      /absent\.data is not there, but refused\.onnx keeps weights such as "w" in it/,
      'model-missing',
    );
    writeFileSync(files.path('short.data'), weightFile().subarray(0, 2000));
    refuses('short.data', /short\.data ends before the weights of "w" do/);
  });

  it('does not need weights to start at a multiple of anything', async () => {
    let aligned: unknown;
    for (let shift = 0; shift < 8; shift++) {
      const { builder } = buildDecoder({ layers: 1, heads: 2, headDim: 32, vocabSize: 97, contextLength: 64 });
      const bytes = encodeModel({
        irVersion: 8,
        opsets: [['', 17]],
        producer: 'x'.repeat(shift),
        graph: builder.graph(),
      }).finish();
      const { logits } = await outputs(instrumented(files.write(bytes, `shift-${shift}.onnx`), []), decoderFeeds);
      aligned ??= logits.data;
      assert.deepEqual(logits.data, aligned);
    }
  });

  it('takes a file of more than 2 GB without reading it', async () => {
    const rows = 600_000_000;
    const head = new WireWriter().integer(TensorField.dims, rows).integer(TensorField.dims, 1);
    head
      .integer(TensorField.dataType, DataType.Float32)
      .text(TensorField.name, 'w')
      .records(opening(TensorField.rawData, rows * 4));
    const builder = new GraphBuilder();
    builder.input('x', DataType.Int64, [1]);
    builder.rename(builder.op('Gather', ['w', 'x']), 'y');
    builder.output('y', DataType.Float32, [1, 1]);
    const rest = Buffer.concat(builder.chunks());
    const tensorBytes = head.byteLength + rows * 4;
    const graphStart = new WireWriter().records(opening(GraphField.initializer, tensorBytes)).records(head.finish());
    const start = Buffer.concat([
      rest,
      opening(ModelField.graph, graphStart.byteLength + rows * 4),
      graphStart.finish(),
    ]);
    const file = files.write(start, 'large.onnx');
    truncateSync(file, start.length + rows * 4);
    const last = openSync(file, 'r+');
    writeSync(last, bytesOf(Float32Array.of(42)), 0, 4, start.length + (rows - 1) * 4);
    closeSync(last);
    const before = process.memoryUsage.rss();
    const { y } = await outputs(instrumented(file, []), {
      x: new ort.Tensor('int64', BigInt64Array.of(BigInt(rows - 1)), [1]),
    });
    assert.equal(y.data[0], 42);
    assert.ok(process.memoryUsage.rss() - before < 200e6, `${process.memoryUsage.rss() - before} bytes more`);
  });
});

/** How a record of `length` bytes begins. */
function opening(field: number, length: number): Uint8Array {
  const bytes = new WireWriter().integer(field, length).finish();
  bytes[0] = (field << 3) | WireType.Bytes;
  return bytes;
}
