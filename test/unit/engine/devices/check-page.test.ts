import assert from 'node:assert/strict';
import { checkPage } from '../../../../src/engine/devices/check-page';
import { CHECK, PROOF } from './device-check';

describe('a check of a device in words', () => {
  it('tells that it can be used, and by how much its numbers and times differ', () => {
    const { verdict, facts } = checkPage(CHECK);
    assert.equal(verdict, 'WebGPU can be used: it gives the processor’s numbers for this model.');
    assert.deepEqual(facts, [
      ['Device', 'WebGPU, ONNX Runtime 1.30.0'],
      ['Adapter', 'SwiftShader Device (Subzero)'],
      ['Driver', 'i915, Vulkan libvk_swiftshader.so'],
      ['Tolerance', '0.0001 where a model computes in float32: of the largest logit, and of an attention weight'],
      ['Logits differ by', '1.3e-6 of the largest logit, in 32 tokens'],
      ['Attention differs by', '3.3e-6'],
      ['Cached steps differ by', '0 of the largest logit'],
      ['Time for 32 tokens', '10.0 ms, 40.0 ms on the processor (0.25 ×)'],
      ['Time for a cached step', '30.0 ms, 2.0 ms on the processor (15 ×)'],
      ['Left to the processor', '2 nodes, 10.0 % of the time in operators'],
    ]);
  });

  it('lists what was left to the processor first, each with its share of all the time', () => {
    const { tables } = checkPage(CHECK);
    assert.deepEqual(
      tables.map(({ title }) => title),
      [
        'Left to the processor',
        'Copied between the processor’s memory and the device’s, with waiting for it',
        'On WebGPU',
      ],
    );
    assert.deepEqual(tables[0].rows, [
      ['1', '6.000', '6.7 %', 'Cos'],
      ['1', '3.000', '3.3 %', 'Shape'],
    ]);
    const shares = tables.flatMap(({ rows }) => rows.map(([, , share]) => Number.parseFloat(share)));
    assert.ok(Math.abs(shares.reduce((sum, share) => sum + share) - 100) < 0.3, 'together they are all of it');
  });

  it('leaves out the tables with nothing in them, and shares of no time', () => {
    const nothing = {
      ...PROOF,
      operators: { onDevice: [{ operator: 'Add', nodes: 1, ms: 0 }], onCpu: [], copies: [] },
    };
    const { facts, tables } = checkPage({ ...CHECK, proof: nothing });
    assert.deepEqual(tables, [{ title: 'On WebGPU', rows: [['1', '0.000', '–', 'Add']] }]);
    assert.deepEqual(facts.at(-1), ['Left to the processor', '0 nodes, – of the time in operators']);
    const one = { ...PROOF, operators: { ...PROOF.operators!, onCpu: [{ operator: 'Cos', nodes: 1, ms: 81 }] } };
    assert.equal(checkPage({ ...CHECK, proof: one }).facts.at(-1)![1], '1 node, 50.0 % of the time in operators');
  });

  it('tells why a device cannot be used, with what is known of the machine', () => {
    const page = checkPage({ ...CHECK, problem: 'no WebGPU adapter', proof: null, adapters: [], drivers: [] });
    assert.deepEqual(page, {
      verdict: 'WebGPU cannot be used: no WebGPU adapter.',
      facts: [
        ['Device', 'WebGPU, ONNX Runtime 1.30.0'],
        ['Adapter', 'not known'],
        ['Driver', 'not known'],
      ],
      tables: [],
    });
  });

  it('gives the figures of wrong numbers too, where there are any', () => {
    const differences = { logits: Number.POSITIVE_INFINITY, attention: null, step: 0.5 };
    const wrong = { ...PROOF, arithmetic: 'float16', tolerance: 0.02, differences, operators: null } as const;
    const { facts } = checkPage({ ...CHECK, problem: 'WebGPU gives wrong numbers', proof: wrong });
    const named = new Map(facts);
    assert.match(named.get('Tolerance')!, /^0\.02 where a model computes in half precision:/);
    assert.equal(named.get('Logits differ by'), 'more than can be told, in 32 tokens');
    assert.equal(named.get('Attention differs by'), 'not known: this model’s was not found');
    assert.equal(named.get('Cached steps differ by'), '5.0e-1 of the largest logit');
    assert.ok(!named.has('Left to the processor'));
  });
});
