import assert from 'node:assert/strict';
import {
  focusedQuery,
  matrixWindow,
  PanelStore,
  pinnedToken,
  rowOfQuery,
  selectedHead,
  shownHead,
  traceOf,
} from '../../../webview/state';
import { sampleSnapshot, sampleTrace } from './sample';

function readyStore(saved?: unknown): PanelStore {
  const store = new PanelStore(saved);
  store.receive(sampleSnapshot({ kind: 'ready', trace: sampleTrace(1) }));
  return store;
}

describe('panel state', () => {
  it('pins the last token until one is pinned, and forgets the pin with its trace', () => {
    const store = readyStore();
    assert.equal(pinnedToken(store.state), 19);
    store.pin(3);
    assert.equal(pinnedToken(store.state), 3);
    store.receive(sampleSnapshot({ kind: 'ready', trace: sampleTrace(2) }));
    assert.equal(pinnedToken(store.state), 19);
  });

  it('begins where the page before ended', () => {
    const first = readyStore();
    first.pin(7);
    first.selectHead({ layer: 1, head: 2 });
    first.toggleSection('tokens');
    const second = readyStore(JSON.parse(JSON.stringify(first.state.view)));
    assert.equal(pinnedToken(second.state), 7);
    assert.deepEqual(selectedHead(second.state), { layer: 1, head: 2 });
    assert.ok(second.state.view.collapsed.includes('tokens'));
    assert.deepEqual(second.state.view.collapsed, first.state.view.collapsed);
  });

  it('does not choose a head that the model lacks', () => {
    const store = readyStore({ head: { layer: 11, head: 0 } });
    assert.equal(selectedHead(store.state), null);
  });

  it('goes around at the ends of layers and heads', () => {
    const store = readyStore({ head: { layer: 0, head: 0 } });
    store.stepHead(-1, -1);
    assert.deepEqual(selectedHead(store.state), { layer: 1, head: 2 });
    store.stepHead(1, 1);
    assert.deepEqual(selectedHead(store.state), { layer: 0, head: 0 });
  });

  it('shows a previewed head until the pointer leaves', () => {
    const store = readyStore({ head: { layer: 0, head: 0 } });
    store.previewHead({ layer: 1, head: 1 });
    assert.deepEqual(shownHead(store.state), { layer: 1, head: 1 });
    store.previewHead(null);
    assert.deepEqual(shownHead(store.state), { layer: 0, head: 0 });
  });

  it('keeps the previous trace and its passage while a new one is made', () => {
    const store = readyStore();
    const trace = traceOf(store.state)!;
    const working = sampleSnapshot({ kind: 'working', activity: 'running', previous: trace });
    store.receive({ ...working, passage: { ...working.passage!, text: 'another' } });
    assert.equal(traceOf(store.state), trace);
    assert.equal(store.state.passage?.text, 'a'.repeat(20));
  });

  it('does not draw a previous trace over a passage that it does not belong to', () => {
    const store = new PanelStore(undefined);
    store.receive(sampleSnapshot({ kind: 'working', activity: 'running', previous: sampleTrace(1) }));
    assert.equal(traceOf(store.state), null);
  });

  it('takes the editor’s sampler at the start only', () => {
    const store = readyStore();
    assert.equal(store.state.sampler.topK, 40);
    store.setSampler({ ...store.state.sampler, topK: 7 });
    store.receive(sampleSnapshot({ kind: 'ready', trace: sampleTrace(2) }));
    assert.equal(store.state.sampler.topK, 7);
    const reloaded = readyStore(store.state.view);
    assert.equal(reloaded.state.sampler.topK, 7);
  });

  it('moves the window after the crosshair', () => {
    const store = readyStore();
    store.showWindow({ queries: { from: 0, to: 8 }, keys: { from: 0, to: 8 } });
    store.moveCursor({ query: 10, key: 2 });
    assert.deepEqual(matrixWindow(store.state), { queries: { from: 3, to: 11 }, keys: { from: 0, to: 8 } });
    store.receive(sampleSnapshot({ kind: 'ready', trace: sampleTrace(2) }));
    assert.deepEqual(matrixWindow(store.state)?.queries, { from: 0, to: 20 });
  });

  it('looks at the hovered token, then the crosshair, then the pin', () => {
    const store = readyStore();
    store.pin(5);
    assert.equal(focusedQuery(store.state), 5);
    store.moveCursor({ query: 8, key: 1 });
    assert.equal(focusedQuery(store.state), 8);
    store.hover(2);
    assert.equal(focusedQuery(store.state), 2);
  });

  it('reads a row from a matrix only where it holds every token one by one', () => {
    const store = readyStore({ head: { layer: 0, head: 1 } });
    const whole = { from: 0, to: 20 };
    const matrix = {
      layer: 0,
      head: 1,
      queries: whole,
      keys: whole,
      queriesPerRow: 1,
      keysPerColumn: 1,
      rows: 20,
      columns: 20,
      weights: Float32Array.from({ length: 400 }, (_, at) => at),
    };
    store.update({ matrix: { traceId: 1, value: matrix } });
    assert.equal(rowOfQuery(store.state, 3)?.[0], 60);
    store.update({ matrix: { traceId: 1, value: { ...matrix, queriesPerRow: 2, rows: 10 } } });
    assert.equal(rowOfQuery(store.state, 3), null);
    store.update({ matrix: { traceId: 99, value: matrix } });
    assert.equal(rowOfQuery(store.state, 3), null);
  });
});
