import assert from 'node:assert/strict';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { readSignature, type Signature } from '../../../../src/engine/onnx/signature';
import type { HeadlightError } from '../../../../src/protocol/errors';
import { GraphBuilder } from './graph-builder';
import { ModelFiles } from './model-files';

type Declared = readonly [name: string, type: DataType, dims: readonly (number | string)[]];

const IDS: Declared = ['input_ids', DataType.Int64, ['batch', 'sequence']];
const LOGITS: Declared = ['logits', DataType.Float32, ['batch', 'sequence', 50]];

describe('inputs and outputs of a decoder', () => {
  const files = new ModelFiles();

  function signature(inputs: readonly Declared[], outputs: readonly Declared[] = [LOGITS]): Signature {
    const builder = new GraphBuilder();
    for (const input of inputs) {
      builder.input(...input);
    }
    for (const output of outputs) {
      builder.output(...output);
    }
    return files.read(builder, readSignature);
  }

  function refuses(inputs: readonly Declared[], outputs: readonly Declared[], sentence: RegExp): void {
    assert.throws(
      () => signature(inputs, outputs),
      (error: HeadlightError) => error.code === 'graph-unsupported' && sentence.test(error.message),
    );
  }

  it('knows the inputs of ordinary exports', () => {
    const { inputs, tokens, logits } = signature([
      IDS,
      ['attention_mask', DataType.Int64, ['batch', 'total']],
      ['position_ids', DataType.Int32, ['batch', 'sequence']],
      ['token_type_ids', DataType.Int64, ['batch', 'sequence']],
      ['use_cache_branch', DataType.Bool, [1]],
      ['num_logits_to_keep', DataType.Int64, []],
      ['cache_position', DataType.Int64, ['sequence']],
    ]);
    assert.deepEqual(
      inputs.map(({ role }) => role),
      ['tokens', 'attention-mask', 'positions', 'token-types', 'use-cache', 'logits-to-keep', 'cache-positions'],
    );
    assert.equal(tokens, 'input_ids');
    assert.equal(logits, 'logits');
  });

  it('knows past keys and values under any of their names', () => {
    const dims = ['batch', 8, 'past', 64];
    for (const name of [
      'past_key_values.0.key',
      'past_0',
      'past.3.value',
      'pasts_11',
      'past_key_self_2',
      'k_cache_past',
      'cache.k',
    ]) {
      for (const type of [DataType.Float32, DataType.Float16]) {
        const { inputs } = signature([IDS, [name, type, dims]]);
        assert.equal(inputs[1].role, 'past', name);
      }
    }
  });

  it('finds the logits under other names', () => {
    assert.equal(signature([IDS], [['lm_logits', DataType.Float16, [1, 'T', 50]]]).logits, 'lm_logits');
    const present: Declared = ['present.0.key', DataType.Float32, [1, 8, 'T', 64]];
    assert.equal(signature([IDS], [present, ['output', DataType.Float32, [1, 'T', 50]]]).logits, 'output');
  });

  it('names what it cannot give or find', () => {
    refuses(
      [IDS, ['pixel_values', DataType.Float32, [1, 3, 224, 224]]],
      [LOGITS],
      /"pixel_values" of float32 \[1, 3, 224, 224\]/,
    );
    refuses([IDS, ['position_ids', DataType.Int64, [3, 1, 'T']]], [LOGITS], /"position_ids" of int64 \[3, 1, T\]/);
    refuses([['attention_mask', DataType.Int64, [1, 'T']]], [LOGITS], /no input for token ids, but "attention_mask"/);
    refuses(
      [IDS],
      [['last_hidden_state', DataType.Float32, [1, 'T', 64]]],
      /no output "logits", but "last_hidden_state"/,
    );
    refuses([IDS], [], /no output "logits", but none at all/);
  });
});
