import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from '../../../scripts/project.mjs';
import { Inspector } from '../../../src/engine/inspect/inspector';
import { tourText } from './tour-text';

const FILE = path.join(root, 'samples', 'tour.md');
const NUMBER = /−?\d+(?:\.\d+)?/g;

describe('the guided tour', () => {
  it('says what the default model does (HEADLIGHT_WRITE_TOUR=1 writes its numbers anew)', async () => {
    const inspector = await Inspector.open({ directory: path.join(root, 'models', 'headlight-small'), device: 'cpu' });
    try {
      const text = await tourText(inspector);
      if (process.env.HEADLIGHT_WRITE_TOUR === '1') {
        await writeFile(FILE, text);
      }
      const written = await readFile(FILE, 'utf8');
      assert.equal(wordsOf(written), wordsOf(text));
      const numbers = text.match(NUMBER)!;
      for (const [at, number] of written.match(NUMBER)!.entries()) {
        // Another processor may round the last digit the other way; counts have none to round.
        const unit = number.includes('.') ? 10 ** -number.split('.')[1].length : 0;
        const difference = Math.abs(signed(number) - signed(numbers[at]));
        assert.ok(difference <= unit * 1.001, `number ${at + 1} of the tour is ${number}, the model's ${numbers[at]}`);
      }
    } finally {
      await inspector.dispose();
    }
  });
});

/** Without the numbers, and without where lines end. */
function wordsOf(text: string): string {
  return text.replace(NUMBER, '…').replace(/\s+/g, ' ');
}

function signed(number: string): number {
  return Number(number.replace('−', '-'));
}
