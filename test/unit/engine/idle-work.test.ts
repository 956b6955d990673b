import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { IdleWork } from '../../../src/engine/idle-work';

const QUIET = 10;

/** Waits until something holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await pause(1);
  }
}

describe('IdleWork', () => {
  it('does all pieces, one after the other, also behind one that fails', async () => {
    const done: number[] = [];
    const idle = new IdleWork(QUIET);
    idle.start(
      [1, 2, 3].map((piece) => async () => {
        done.push(piece);
        if (piece === 2) {
          throw new Error('not to be had');
        }
      }),
    );
    assert.deepEqual(done, [], 'nothing at once');
    await until(() => done.length === 3);
    assert.deepEqual(done, [1, 2, 3]);
  });

  it('ends where the work cannot say what comes next, and takes up other work after it', async () => {
    const done: string[] = [];
    const idle = new IdleWork(QUIET);
    function* broken() {
      yield async () => void done.push('a');
      throw new Error('what it is about is gone');
    }
    idle.start(broken());
    await until(() => done.length === 1);
    await pause(5 * QUIET);
    idle.start([async () => void done.push('b')]);
    await until(() => done.length === 2);
    assert.deepEqual(done, ['a', 'b']);
  });

  it('drops what is left when it is stopped, or given other work', async () => {
    const done: string[] = [];
    const piece = (name: string) => async () => void done.push(name);
    const idle = new IdleWork(QUIET);
    idle.start([
      piece('a'),
      async () => {
        done.push('b');
        idle.start([piece('x'), async () => idle.stop(), piece('y')]);
      },
      piece('c'),
    ]);
    await until(() => done.includes('x'));
    await pause(5 * QUIET);
    assert.deepEqual(done, ['a', 'b', 'x']);
  });

  it('waits while it is postponed', async () => {
    let isDone = false;
    const idle = new IdleWork(5 * QUIET);
    idle.start([
      async () => {
        isDone = true;
      },
    ]);
    const postponing = setInterval(() => idle.postpone(), 1);
    await pause(10 * QUIET);
    assert.equal(isDone, false);
    clearInterval(postponing);
    await until(() => isDone);
  });
});
