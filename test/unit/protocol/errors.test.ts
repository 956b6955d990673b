import assert from 'node:assert/strict';
import { ResponseError } from 'vscode-jsonrpc';
import { HeadlightError, toResponseError } from '../../../src/protocol/errors';

describe('failures on the wire', () => {
  it('keep their code and their sentence', () => {
    const packed = toResponseError(new HeadlightError('model-missing', 'There is no model.onnx in /a; put one there.'));
    const received = HeadlightError.from(new ResponseError(packed.code, packed.message, structuredClone(packed.data)));
    assert.equal(received.code, 'model-missing');
    assert.equal(received.message, 'There is no model.onnx in /a; put one there.');
  });

  it('are internal where nobody said what they are', () => {
    assert.equal(HeadlightError.from(new TypeError('x is not a function')).code, 'internal');
    assert.equal(HeadlightError.from('just a string').message, 'just a string');
    assert.equal(HeadlightError.from(new ResponseError(-32603, 'Internal')).code, 'internal');
  });
});
