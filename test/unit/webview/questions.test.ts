import assert from 'node:assert/strict';
import type { CancellationToken } from 'vscode-jsonrpc';
import { HeadlightError, toResponseError } from '../../../src/protocol/errors';
import type { HeadMatrix, HeadOverview } from '../../../src/protocol/trace';
import { Questions, type RequestSender } from '../../../webview/questions';
import { PanelStore, scoresOfHeads, scoringOfHeads } from '../../../webview/state';
import { sampleSnapshot, sampleTrace } from './sample';

interface Asked {
  readonly method: string;
  readonly params: Record<string, unknown>;
  readonly token: CancellationToken;
  readonly answer: (value: unknown) => void;
  readonly fail: (error: unknown) => void;
}

/** All that the questions look at. */
const SCORED = { scores: { layers: 2, heads: 3 }, done: 4, of: 4 };

/** In place of the time that the panel leaves for what is waited for. */
const PAUSE_MS = 20;
const pauseOver = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS + 5));
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('questions to the engine', () => {
  let asked: Asked[];
  let store: PanelStore;
  let questions: Questions;
  let frames: (() => void)[];
  const before = globalThis.requestAnimationFrame;

  beforeEach(() => {
    asked = [];
    frames = [];
    globalThis.requestAnimationFrame = (callback) => frames.push(() => callback(0));
    const sender: RequestSender = {
      sendRequest: (type, params, token) =>
        new Promise((answer, fail) => {
          asked.push({ method: type.method, params: params as never, token, answer: answer as never, fail });
        }),
    };
    store = new PanelStore({ head: { layer: 0, head: 0 } });
    questions = new Questions(store, sender, PAUSE_MS);
  });

  afterEach(() => {
    globalThis.requestAnimationFrame = before;
  });

  const show = (id: number) => store.receive(sampleSnapshot({ kind: 'ready', trace: sampleTrace(id) }));
  const of = (method: string) => asked.filter((each) => each.method === method);
  const drawFrame = () => {
    for (const frame of frames.splice(0)) {
      frame();
    }
  };
  const matrix = ({ params }: Asked): HeadMatrix => ({
    layer: params.layer as number,
    head: params.head as number,
    queries: { from: 0, to: 20 },
    keys: { from: 0, to: 20 },
    queriesPerRow: 1,
    keysPerColumn: 1,
    rows: 20,
    columns: 20,
    weights: new Float32Array(400),
  });

  it('ask for the thumbnails once a trace, and for one matrix once the panel is laid out', () => {
    show(1);
    store.hover(3);
    store.hover(4);
    assert.equal(of('trace/headOverview').length, 1);
    assert.equal(of('trace/headMatrix').length, 0);
    store.update({ resolution: 400 });
    const [only, ...others] = of('trace/headMatrix');
    assert.deepEqual(others, []);
    assert.deepEqual([only.params.queries, only.params.resolution], [{ from: 0, to: 20 }, 20]);
  });

  it('drop and cancel what was superseded', async () => {
    show(1);
    store.update({ resolution: 400 });
    const [first] = of('trace/headMatrix').slice(-1);
    store.selectHead({ layer: 1, head: 1 });
    const [second] = of('trace/headMatrix').slice(-1);
    assert.notEqual(first, second);
    assert.equal(first.token.isCancellationRequested, true);
    second.answer(matrix(second));
    first.answer(matrix(first));
    await settled();
    assert.equal(store.state.matrix?.value.layer, 1);
  });

  it('coalesce the sampler to a request a frame', () => {
    show(1);
    for (let topK = 1; topK <= 20; topK++) {
      store.setSampler({ ...store.state.sampler, topK });
    }
    assert.equal(of('trace/candidates').length, 0);
    drawFrame();
    const candidates = of('trace/candidates');
    assert.equal(candidates.length, 1);
    assert.equal((candidates[0].params.sampler as { topK: number }).topK, 20);
  });

  it('ask nothing while a new trace is made', () => {
    show(1);
    const count = asked.length;
    store.receive(sampleSnapshot({ kind: 'working', activity: 'running', previous: sampleTrace(1) }));
    store.selectHead({ layer: 1, head: 0 });
    store.pin(2);
    drawFrame();
    assert.equal(asked.length, count);
  });

  it('keep a failure until an answer comes, but not a cancellation', async () => {
    show(1);
    const [overview] = of('trace/headOverview');
    overview.fail(toResponseError(new HeadlightError('engine-stopped', 'The engine stopped.')));
    await settled();
    assert.equal(store.state.failures.overview?.code, 'engine-stopped');
    show(2);
    const answer: HeadOverview = {
      layers: 2,
      heads: 3,
      side: 1,
      thumbnails: new Uint8Array(6),
      statistics: {
        previous: new Float32Array(6),
        first: new Float32Array(6),
        induction: new Float32Array(6),
        duplicate: new Float32Array(6),
        entropy: new Float32Array(6),
      },
    };
    of('trace/headOverview')[1].answer(answer);
    await settled();
    assert.equal(store.state.failures.overview, undefined);
    assert.equal(store.state.overview?.traceId, 2);
    drawFrame();
    of('trace/candidates')[0].fail(toResponseError(new HeadlightError('cancelled', 'Cancelled.')));
    await settled();
    assert.deepEqual(store.state.failures, {});
  });

  it('ask nothing about attention where there is none', () => {
    const trace = { ...sampleTrace(1), attention: { available: false, reason: 'None was found.' } as const };
    store.receive(sampleSnapshot({ kind: 'ready', trace }));
    store.update({ resolution: 400 });
    drawFrame();
    assert.deepEqual(
      asked.map(({ method }) => method),
      ['trace/candidates'],
    );
  });

  it('ask for the scores of the heads once a model, after the thumbnails', async () => {
    show(1);
    assert.equal(of('trace/headScores').length, 0);
    of('trace/headOverview')[0].answer({ layers: 2, heads: 3, statistics: { previous: [], induction: [] } });
    await settled();
    assert.equal(of('trace/headScores').length, 1);
    of('trace/headScores')[0].answer(SCORED);
    await settled();
    show(2);
    of('trace/headOverview')[1].answer({ layers: 2, heads: 3, statistics: { previous: [], induction: [] } });
    await settled();
    assert.equal(of('trace/headScores').length, 1);
  });

  it('ask for the scores of the heads piece by piece, unless they are stopped', async () => {
    show(1);
    of('trace/headOverview')[0].answer({ layers: 2, heads: 3, statistics: { previous: [], induction: [] } });
    await settled();
    of('trace/headScores')[0].answer({ scores: null, done: 1, of: 4 });
    await settled();
    assert.equal(scoringOfHeads(store.state)?.done, 1);
    assert.equal(of('trace/headScores').length, 2);
    store.update({ scoringStopped: true });
    assert.equal(of('trace/headScores')[1].token.isCancellationRequested, true);
    of('trace/headScores')[1].answer({ scores: null, done: 2, of: 4 });
    await settled();
    assert.equal(scoringOfHeads(store.state)?.done, 1, 'what was withdrawn changes nothing');
    store.update({ scoringStopped: false });
    assert.equal(of('trace/headScores').length, 3);
    of('trace/headScores')[2].answer(SCORED);
    await settled();
    assert.equal(of('trace/headScores').length, 3);
    assert.equal(scoresOfHeads(store.state), SCORED.scores);
  });

  describe('about the heads that may be next', () => {
    const asks = () => of('trace/headMatrix').map(({ params }) => [params.layer, params.head]);
    const answerLast = async () => {
      const last = of('trace/headMatrix').at(-1)!;
      last.answer(matrix(last));
      await settled();
    };
    const overview: HeadOverview = {
      ...{ layers: 2, heads: 3, side: 1, thumbnails: new Uint8Array(6) },
      statistics: {
        ...{ previous: new Float32Array(6), first: new Float32Array(6), induction: new Float32Array(6) },
        ...{ duplicate: new Float32Array(6), entropy: new Float32Array(6) },
      },
    };

    beforeEach(async () => {
      show(1);
      store.update({ resolution: 400 });
      of('trace/headOverview')[0].answer(overview);
      drawFrame();
      of('trace/candidates')[0].answer({ candidates: [] });
      await settled();
      of('trace/headScores')[0].answer(SCORED);
      await settled();
      await answerLast();
      assert.deepEqual(asks(), [[0, 0]]);
      await pauseOver();
    });

    it('wait until it has been quiet for a little, and leave off where a stage is asked for', async () => {
      const [, ahead] = of('trace/headMatrix');
      questions.postponeAhead();
      assert.equal(ahead.token.isCancellationRequested, true);
      ahead.fail(toResponseError(new HeadlightError('cancelled', 'The request was cancelled.')));
      store.hover(3);
      await settled();
      assert.equal(asks().length, 2);
      await pauseOver();
      assert.deepEqual(asks().slice(2), [[0, 1]]);
    });

    it('go one by one, and a step to such a head asks nothing', async () => {
      assert.deepEqual(asks().slice(1), [[0, 1]]);
      await answerLast();
      await answerLast();
      assert.deepEqual(asks().slice(1), [
        [0, 1],
        [0, 2],
        [1, 0],
      ]);
      await answerLast();
      const count = asked.length;
      store.stepHead(0, 1);
      assert.equal(store.state.matrix?.value.head, 1);
      assert.deepEqual(asks().slice(4), [[1, 1]], 'only what may be next by then is asked for');
      assert.equal(asked.length, count + 1);
    });

    it('are taken over when the user gets there first', async () => {
      const [, ahead] = of('trace/headMatrix');
      store.stepHead(0, 1);
      assert.equal(ahead.token.isCancellationRequested, false);
      assert.equal(of('trace/headMatrix').length, 2);
      await answerLast();
      assert.equal(store.state.matrix?.value.head, 1);
    });

    it('give way to what is asked for', async () => {
      const [, ahead] = of('trace/headMatrix');
      store.selectHead({ layer: 1, head: 2 });
      assert.equal(ahead.token.isCancellationRequested, true);
      assert.deepEqual(asks().at(-1), [1, 2]);
      assert.equal(store.state.matrix?.value.head, 0);
      ahead.answer(matrix(ahead));
      await settled();
      assert.equal(store.state.matrix?.value.head, 0);
      await answerLast();
      assert.equal(store.state.matrix?.value.head, 2);
    });

    it('are those in the direction of the last step, then the other neighbours', async () => {
      const [, ahead] = of('trace/headMatrix');
      ahead.answer(matrix(ahead));
      await settled();
      store.stepHead(0, -1);
      await answerLast();
      assert.deepEqual(asks().slice(-2), [
        [0, 2],
        [1, 2],
      ]);
    });

    it('fail quietly, until the head is wanted', async () => {
      const [, ahead] = of('trace/headMatrix');
      ahead.fail(toResponseError(new HeadlightError('engine-stopped', 'The engine stopped.')));
      await settled();
      assert.deepEqual(store.state.failures, {});
      assert.equal(of('trace/headMatrix').length, 2);
      store.stepHead(0, 1);
      assert.deepEqual(asks().at(-1), [0, 1]);
      assert.equal(of('trace/headMatrix').length, 3);
    });

    it('are of the trace that is shown: nothing of the one before is drawn', async () => {
      await answerLast();
      show(2);
      of('trace/headMatrix')
        .at(-1)!
        .answer(matrix(of('trace/headMatrix').at(-1)!));
      await settled();
      store.stepHead(0, 1);
      assert.equal(of('trace/headMatrix').at(-1)!.params.traceId, 2);
      assert.equal(store.state.matrix?.value.head, 0);
    });
  });
});
