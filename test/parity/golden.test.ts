import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Decoder } from '../../src/engine/runtime/decoder';
import { openModelFolder } from '../../src/engine/runtime/open-folder';

/** Written by parity.py: exports of tiny models by real exporters, and what PyTorch makes of the same weights. */
const GOLDEN = path.resolve('test/parity/golden/models');

interface Expected {
  readonly ids: readonly number[];
  /** [T, V] */
  readonly logits: readonly number[];
  /** [L, H, T, T] */
  readonly attention: readonly number[];
  /** [L + 1, T, D]; absent where activations are quantised too, which has no counterpart. */
  readonly hidden?: readonly number[];
}

/** The goldens are rounded to five decimals. */
const TOLERANCE = 1e-4;
/** Activations rounded to eight bits leave more room. */
const COARSE_TOLERANCE = 5e-3;

describe('exports of other tools', () => {
  for (const name of readdirSync(GOLDEN).sort()) {
    it(`agree with the reference: ${name}`, async () => {
      const folder = await openModelFolder(path.join(GOLDEN, name));
      const expected: Expected = JSON.parse(readFileSync(path.join(folder.directory, 'expected.json'), 'utf8'));
      const tolerance = name.includes('dynamic-int8') ? COARSE_TOLERANCE : TOLERANCE;
      const decoder = await Decoder.open({ graphFile: folder.graphFile, config: folder.config, device: 'cpu' });
      try {
        assert.equal(decoder.attentionUnavailable, null);
        assert.equal(decoder.hiddenStatesUnavailable, null);
        const pass = await decoder.forward(Uint32Array.from(expected.ids), { hiddenStates: true });
        close(pass.logits, expected.logits, tolerance, 'logits');
        const replayed = await decoder.forward(Uint32Array.from(expected.ids), { replaysAttention: true });
        for (const attention of [pass.attention!, replayed.attention!]) {
          const layers = await Promise.all([...range(folder.config.layers)].map((l) => attention.layer(l)));
          close(
            layers.flatMap((layer) => [...layer]),
            expected.attention,
            tolerance,
            'attention',
          );
          const head = await attention.head(1, 1);
          const cells = pass.length ** 2;
          close(head, [...layers[1].subarray(cells, 2 * cells)], tolerance, 'one head alone');
        }
        if (expected.hidden) {
          close(
            pass.hiddenStates!.flatMap((state) => [...state]),
            expected.hidden,
            tolerance,
            'hidden states',
          );
        }
      } finally {
        await decoder.dispose();
      }
    });
  }
});

function range(count: number): Iterable<number> {
  return Array.from({ length: count }).keys();
}

function close(actual: ArrayLike<number>, expected: readonly number[], tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, what);
  const largest = expected.reduce((most, value, index) => Math.max(most, Math.abs(value - actual[index])), 0);
  assert.ok(largest <= tolerance, `${what} differ by ${largest}`);
}
