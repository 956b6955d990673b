import assert from 'node:assert/strict';
import { deviceMarkdown } from '../../../src/editor/device-markdown';
import { checkPage } from '../../../src/engine/devices/check-page';
import { CHECK } from '../engine/devices/device-check';

describe('page about a device', () => {
  it('has the verdict, the facts and the operators', () => {
    const page = deviceMarkdown('Device WebGPU', checkPage(CHECK));
    const [head, verdict, facts, ...tables] = page.split('\n\n');
    assert.equal(head, '# Device WebGPU');
    assert.equal(verdict, '**WebGPU can be used: it gives the processor’s numbers for this model.**');
    assert.deepEqual(facts.split('\n').slice(0, 3), [
      '| | |',
      '| --- | --- |',
      '| Device | WebGPU, ONNX Runtime 1.30.0 |',
    ]);
    assert.match(facts, /^\| Time for 32 tokens \| 10\.0 ms, 40\.0 ms on the processor \(0\.25 ×\) \|$/m);
    assert.equal(tables[0], '## Left to the processor');
    assert.equal(
      tables[1],
      '| nodes | ms | share | operator |\n| ---: | ---: | ---: | --- |\n| 1 | 6.000 | 6.7 % | Cos |\n| 1 | 3.000 | 3.3 % | Shape |',
    );
    assert.equal(tables.length, 6);
  });

  it('reads nothing as Markdown that a driver or the runtime says', () => {
    const problem = 'WebGPU cannot be started (<img src=x> [a](b) | `c` *d*)';
    const page = deviceMarkdown('Device WebGPU', checkPage({ ...CHECK, problem, proof: null, adapters: ['A|B <i>'] }));
    assert.match(page, /\(\\<img src=x\\> \\\[a\\\]\(b\) \\\| \\`c\\` \\\*d\\\*\)\.\*\*/);
    assert.match(page, /^\| Adapter \| A\\\|B \\<i\\> \|$/m);
  });
});
