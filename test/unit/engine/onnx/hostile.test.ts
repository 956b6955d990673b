import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { analyzeGraph } from '../../../../src/engine/onnx/analysis';
import { readModel } from '../../../../src/engine/onnx/graph';
import { instrument } from '../../../../src/engine/onnx/instrument';
import { ModelFile } from '../../../../src/engine/onnx/model-file';
import { GraphField, ModelField, NodeField, TensorField } from '../../../../src/engine/onnx/schema';
import { WireWriter } from '../../../../src/engine/onnx/wire';
import { HeadlightError } from '../../../../src/protocol/errors';
import { buildDecoder } from './decoder-models';
import { GraphBuilder } from './graph-builder';
import { ModelFiles } from './model-files';

/** Of the processor's time: the machine may be busy with something else. */
const LIMIT_MS = 2000;
const LIMIT_BYTES = 1e9;

describe('damaged and hostile models', () => {
  const files = new ModelFiles();
  const { builder } = buildDecoder({ layers: 2, heads: 2, headDim: 4, vocabSize: 17, contextLength: 16 });
  const sound = Buffer.concat(builder.chunks());

  /** All that happens to a file before the runtime sees it. Null where it went well, otherwise the error, which is ours. */
  function analyse(content: Uint8Array): HeadlightError | null {
    const path = files.path('hostile.onnx');
    writeFileSync(path, content);
    const started = process.cpuUsage();
    const file = ModelFile.open(path);
    try {
      const model = readModel(file);
      const { attention } = analyzeGraph(model, 2);
      instrument(model, { expose: 'unavailable' in attention ? [] : attention.map(({ weights }) => weights) });
      return null;
    } catch (error) {
      assert.ok(error instanceof HeadlightError, `${(error as Error).stack}`);
      assert.ok(['model-invalid', 'model-missing', 'graph-unsupported'].includes(error.code), error.code);
      assert.match(error.message, /^\S+hostile\.onnx.* .*\.$/s);
      return error;
    } finally {
      file.close();
      const { user, system } = process.cpuUsage(started);
      assert.ok((user + system) / 1000 < LIMIT_MS, `took ${(user + system) / 1000} ms`);
      assert.ok(process.memoryUsage.rss() < LIMIT_BYTES, `takes ${process.memoryUsage.rss()} bytes`);
    }
  }

  function refuses(content: Uint8Array, sentence: RegExp): void {
    const error = analyse(content);
    assert.match(error?.message ?? 'was read', sentence);
  }

  it('reads the model that the others are made from', () => {
    assert.equal(analyse(sound), null);
  });

  it('refuses it cut off anywhere', () => {
    for (let part = 0; part < 50; part++) {
      const cut = sound.subarray(0, Math.floor((sound.length * part) / 50));
      assert.equal(analyse(cut)?.code, 'model-invalid', `cut at ${part}/50`);
    }
  });

  it('answers to 300 mutations with a result or a sentence', () => {
    let seed = 20_260_101;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const refused = Array.from({ length: 300 }, () => {
      const mutant = Buffer.from(sound);
      for (let change = random(6); change >= 0; change--) {
        mutant[random(mutant.length)] = [0, 0x7f, 0x80, 0xff, random(256)][random(5)];
      }
      return analyse(mutant);
    }).filter((error) => error !== null);
    assert.ok(refused.length > 100, `${refused.length} were refused`);
  });

  it('refuses lengths that no file has', () => {
    for (const length of [2 ** 31, 2 ** 32, 2 ** 40, 2 ** 53]) {
      const bytes = new WireWriter().integer(ModelField.graph, length).finish();
      bytes[0] = (ModelField.graph << 3) | 2;
      refuses(bytes, new RegExp(`record of ${length} bytes`));
    }
  });

  it('refuses tensors that are not what they say', () => {
    const tensor = (dims: readonly number[], bytes: number) => {
      const content = new WireWriter().text(TensorField.name, 'w').integer(TensorField.dataType, 1);
      for (const dim of dims) {
        content.integer(TensorField.dims, dim);
      }
      content.bytes(TensorField.rawData, new Uint8Array(bytes));
      const graph = new WireWriter().message(GraphField.initializer, content);
      return new WireWriter().message(ModelField.graph, graph).finish();
    };
    refuses(tensor([2, 3], 20), /"w" of float32 \[2,3\] with 20 bytes instead of 24/);
    refuses(tensor([2 ** 40, 2 ** 40], 20), /"w" with impossible dimensions/);
    refuses(tensor([-1], 4), /impossible dimensions/);
    refuses(tensor(new Array(100).fill(1), 4), /impossible dimensions/);
  });

  it('refuses a million empty nodes', () => {
    const graph = new WireWriter().records(Buffer.alloc(2_000_000, Uint8Array.of((GraphField.node << 3) | 2, 0)));
    refuses(new WireWriter().message(ModelField.graph, graph).finish(), /more than 100000 nodes/);
  });

  it('refuses millions of empty inputs and of attributes', () => {
    for (const field of [NodeField.input, NodeField.attribute]) {
      const node = new WireWriter().records(Buffer.alloc(8_000_000, Uint8Array.of((field << 3) | 2, 0)));
      const graph = new WireWriter().message(GraphField.node, node);
      refuses(new WireWriter().message(ModelField.graph, graph).finish(), /more records in its graph/);
    }
  });

  it('refuses names without end', () => {
    const node = new WireWriter().text(NodeField.name, 'n'.repeat(1_000_000));
    const graph = new WireWriter();
    for (let copy = 0; copy < 80; copy++) {
      graph.message(GraphField.node, node);
    }
    refuses(new WireWriter().message(ModelField.graph, graph).finish(), /more text in its graph/);
  });

  it('refuses graphs inside graphs inside graphs', () => {
    let inner = new GraphBuilder();
    for (let depth = 0; depth < 40; depth++) {
      const outer = new GraphBuilder();
      outer.op('If', [outer.scalar(1)], { then_branch: { graph: inner.graph() } });
      inner = outer;
    }
    refuses(Buffer.concat(inner.chunks()), /nests its records without end/);
  });

  it('refuses nodes that wait for each other', () => {
    const cycle = new GraphBuilder();
    cycle.nodes.push(
      { opType: 'Identity', inputs: ['b'], outputs: ['a'] },
      { opType: 'Identity', inputs: ['a'], outputs: ['b'] },
    );
    refuses(Buffer.concat(cycle.chunks()), /Identity that waits for its own result/);
  });

  it('takes a chain of 30,000 nodes in any order', () => {
    const chain = new GraphBuilder();
    chain.nodes.push(
      ...Array.from({ length: 30_000 }, (_, index) => ({
        opType: 'Softmax',
        inputs: [index === 0 ? 'x' : `t${index - 1}`],
        outputs: [`t${index}`],
      })).reverse(),
    );
    refuses(Buffer.concat(chain.chunks()), /a node Softmax that reads "x", which nothing in the graph gives/);
    chain.input('input_ids', 7, [1, 'T']);
    chain.nodes.push({ opType: 'Gather', inputs: [chain.random([9, 4], 1), 'input_ids'], outputs: ['x'] });
    chain.output('logits', 1, [1, 'T', 4]);
    chain.nodes.push({ opType: 'Identity', inputs: ['t29999'], outputs: ['logits'] });
    assert.equal(analyse(Buffer.concat(chain.chunks())), null);
  });

  it('says what else a file may be', () => {
    refuses(new Uint8Array(), /is empty/);
    refuses(Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'), /pointer of Git LFS/);
    refuses(new WireWriter().integer(ModelField.irVersion, 8).finish(), /no graph in it/);
    refuses(Buffer.from('<html><body>Not Found</body></html>'), /not an ONNX model/);
    assert.throws(() => ModelFile.open(files.path('absent.onnx')), /absent\.onnx is not there/);
    assert.throws(() => ModelFile.open(files.path('.')), /is not a file/);
  });
});
