import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/project.mjs';
import { Inspector } from '../../src/engine/inspect/inspector';
import type { AttentionStep } from '../../src/protocol/stages';
import type { TokenRange, Trace } from '../../src/protocol/trace';
import { withWindow } from '../../src/protocol/training';
import { keepEvidence } from './evidence';
import { PanelPage } from './panel-page';
import { Workbench } from './workbench';

const INSPECT = 'Headlight: Inspect Selection';
/** Two runs of the same model over the same text may share out their sums differently. */
const TOLERANCE = 1e-4;
/** The sections of the journey, and those of them that are about one token. */
const STAGES = [
  ...['Text to tokens', 'Embedding and position', 'Attention', 'One row in numbers', 'Heads', 'Choosing, step by step'],
  ...['Layers', 'Attribution', 'Residual stream', 'Feed-forward', 'Again, token by token', 'As training data'],
];
const OF_A_TOKEN = ['merges', 'embedding', 'row', 'attribution', 'stream', 'neurons'];
/** Of long.py: more than the context, and more than the windows that are read unasked. */
const LONG_LINES = 199;
const SAMPLER = { temperature: 0.8, topK: 40, topP: 0.9, minP: 0 };

describe('the stages in the panel', () => {
  let workbench: Workbench;
  let inspector: Inspector;
  let trace: Trace;

  before(async () => {
    inspector = await Inspector.open({ directory: path.join(root, 'models', 'headlight-small'), device: 'cpu' });
    workbench = await Workbench.open({ name: 'stages', viewport: { width: 1500, height: 1250 } });
    await workbench.openFile('greet.ts');
    await workbench.selectLines(10, 16);
    await workbench.runCommand(INSPECT);
    await (await panel()).shows('greet.ts:10–16');
    const text = readFileSync(path.join(workbench.folder, 'greet.ts'), 'utf8').split('\n').slice(9, 16).join('\n');
    trace = await inspector.trace(text);
  });

  after(async () => {
    await inspector?.dispose();
    await workbench?.close();
  });

  keepEvidence(() => workbench);

  const panel = async () => new PanelPage(await workbench.panel());
  const part = async (selector: string) => (await panel()).frame.locator(selector);
  const open = async (title: string) => {
    const button = (await panel()).frame.getByRole('button', { name: title, exact: true });
    if ((await button.getAttribute('aria-expanded')) === 'false') {
      await button.press('Enter');
    }
    await button.evaluate((element) => element.scrollIntoView({ block: 'start' }));
  };
  /** Holds every cell of the lens against the engine's own, once it is read. */
  const lensShows = async (positions: TokenRange) => {
    const { frame } = await panel();
    const grid = frame.locator('[aria-roledescription="logit lens"][aria-busy=false]');
    await grid.locator(`[data-position="${positions.from}"]`).first().waitFor();
    const cells = await grid
      .locator('.lens-cell')
      .evaluateAll((elements) => elements.map((each) => ({ ...(each as HTMLElement).dataset })));
    const { rows } = await inspector.stages.lens({ traceId: trace.id, positions, limit: 1 });
    assert.deepEqual(
      cells.map(({ depth, position, top }) => [depth, position, top].map(Number)),
      rows.flatMap((row, depth) => row.map(({ tokens }, at) => [depth, positions.from + at, tokens[0].id])),
    );
    for (const [at, { tokens }] of rows.flat().entries()) {
      assert.ok(Math.abs(Number(cells[at].probability) - tokens[0].probability) < TOLERANCE);
    }
  };
  const shownHead = async () => {
    const { layer, head } = await (await part('.matrix')).evaluate((element) => ({
      ...(element as HTMLElement).dataset,
    }));
    return { layer: Number(layer), head: Number(head) };
  };
  const stepAt = async (step: AttentionStep, query: number, key: number) => {
    const length = trace.tokens.length;
    const whole = { from: 0, to: length };
    const { weights } = await inspector.stages.headStep({
      traceId: trace.id,
      ...(await shownHead()),
      queries: whole,
      keys: whole,
      resolution: length,
      step,
    });
    return weights[query * length + key];
  };

  it('walks through the steps of a head by keyboard', async () => {
    const { frame } = await panel();
    const steps = frame.getByRole('radiogroup', { name: 'Step of the attention' });
    assert.equal(await steps.locator('[aria-checked=true]').getAttribute('data-value'), 'weights');
    await steps.locator('[aria-checked=true]').focus();
    for (const [key, step] of [
      ['ArrowLeft', 'masked'],
      ['ArrowLeft', 'scores'],
      ['ArrowRight', 'masked'],
      ['ArrowRight', 'weights'],
      ['ArrowRight', 'weighted'],
    ] as const) {
      await workbench.page.keyboard.press(key);
      await frame.locator(`.matrix[data-step=${step}]`).waitFor();
      assert.equal(await steps.locator('[aria-checked=true]').getAttribute('data-value'), step);
    }
  });

  it("shows the engine's own number at each step", async () => {
    const { frame } = await panel();
    const query = trace.tokens.length - 4;
    for (const [name, step] of [
      ['Mask', 'masked'],
      ['×V', 'weighted'],
      ['Softmax', 'weights'],
    ] as const) {
      await frame.getByRole('radio', { name, exact: true }).click();
      const matrix = frame.locator(`.matrix[data-step=${step}]`);
      await matrix.focus();
      await matrix.press('End');
      await moveTo(query, 2);
      const callout = frame.locator('.callout');
      const value = Number(await callout.getAttribute('data-weight'));
      const expected = await stepAt(step, query, 2);
      assert.ok(Math.abs(value - expected) < TOLERANCE, `${step}: ${value} is not ${expected}`);
      await workbench.screenshot(`step-${step}`);
    }
  });

  it('shows scores above the diagonal too', async () => {
    const { frame } = await panel();
    await frame.getByRole('radio', { name: 'Scores', exact: true }).click();
    await frame.locator('.matrix[data-step=scores]').focus();
    await moveTo(3, 9);
    const line = frame.locator('.cell-line[data-weight]');
    await line.waitFor();
    assert.deepEqual([await line.getAttribute('data-query'), await line.getAttribute('data-key')], ['3', '9']);
    const value = Number(await line.getAttribute('data-weight'));
    const expected = await stepAt('scores', 3, 9);
    assert.ok(Math.abs(value - expected) < TOLERANCE, `${value} is not ${expected}`);
    await workbench.screenshot('step-scores');
    await frame.getByRole('radio', { name: 'Softmax', exact: true }).click();
    await frame.locator('.matrix[data-step=weights]').waitFor();
  });

  it('works one row out in numbers that are those of the matrix', async () => {
    const { frame } = await panel();
    const query = trace.tokens.length - 4;
    await frame.locator('.matrix').focus();
    await moveTo(query, 2);
    await open('One row in numbers');
    const rows = frame.locator('[data-section=row] [data-key]');
    await frame.locator('[data-section=row] [data-key="2"]').waitFor();
    const shown = await rows.evaluateAll((elements) => elements.map((each) => ({ ...(each as HTMLElement).dataset })));
    for (const { key, weight, score } of shown) {
      const expected = [await stepAt('weights', query, Number(key)), await stepAt('scores', query, Number(key))];
      assert.ok(Math.abs(Number(weight) - expected[0]) < TOLERANCE, `weight on ${key}`);
      assert.ok(Math.abs(Number(score) - expected[1]) < TOLERANCE, `score of ${key}`);
    }
    const { projection } = await inspector.stages.workedRow({
      ...{ traceId: trace.id, ...(await shownHead()), query, key: 2, limit: 8 },
    });
    const added = await frame
      .locator('[data-section=row] [data-added]')
      .evaluateAll((elements) => elements.map((each) => Number((each as HTMLElement).dataset.added)));
    assert.equal(added.length, trace.model.heads);
    assert.ok(projection.available);
    for (const [head, length] of projection.addedNorms.entries()) {
      assert.ok(Math.abs(added[head] - length) < 1e-3, `what head ${head} adds`);
    }
    await workbench.screenshot('worked-row');
  });

  it('reads every layer with the lens, and ends in the prediction', async () => {
    const { frame } = await panel();
    await open('Layers');
    const last = trace.tokens.length - 1;
    await lensShows({ from: last - 11, to: last + 1 });
    const { candidates } = await panel();
    const top = await frame
      .locator(`.lens-cell[data-depth="${trace.model.layers}"][data-position="${last}"]`)
      .getAttribute('data-top');
    assert.equal(top, await candidates.first().getAttribute('data-token-id'));
  });

  it('pages the lens through the passage, and back', async () => {
    const { frame } = await panel();
    const last = trace.tokens.length - 1;
    await frame.getByRole('button', { name: 'Earlier tokens' }).click();
    await lensShows({ from: last - 23, to: last - 11 });
    await frame.getByRole('button', { name: 'Later tokens' }).click();
    await lensShows({ from: last - 11, to: last + 1 });
  });

  it('moves over the lens by keyboard and pins with Enter', async () => {
    const { frame, announcement } = await panel();
    const grid = frame.locator('[aria-roledescription="logit lens"]');
    await grid.focus();
    await grid.press('ArrowUp');
    await grid.press('ArrowLeft');
    const last = trace.tokens.length - 1;
    await frame.locator('[data-lens-readout]').waitFor();
    const [depth, position] = (await frame.locator('[data-lens-readout]').getAttribute('data-lens-readout'))!
      .split(',')
      .map(Number);
    assert.equal(depth, trace.model.layers - 1);
    assert.ok(position <= last);
    assert.match((await announcement.textContent()) ?? '', new RegExp(`^after layer ${depth - 1}, #${position}: `));
    await grid.press('Enter');
    await frame.locator(`[data-token-index="${position}"].is-pinned`).first().waitFor();
    await workbench.screenshot('lens');
  });

  it('attributes a candidate to parts that add up', async () => {
    const { frame } = await panel();
    await open('Attribution');
    const difference = frame.locator('[data-difference]');
    await difference.waitFor();
    const total = Number(await difference.getAttribute('data-difference'));
    const sum = Number(await frame.locator('[data-sum]').getAttribute('data-sum'));
    assert.ok(Math.abs(total - sum) < 1e-3, `${sum} is not ${total}`);
    await workbench.screenshot('attribution');
    const link = frame.locator('[data-section=attribution] .plain-link').first();
    const [layer, head] = ((await link.textContent()) ?? '').match(/\d+/g)!.map(Number);
    await link.press('Enter');
    await frame.locator(`.matrix[data-layer="${layer}"][data-head="${head}"]`).waitFor();
  });

  it('follows the stream of a token through the layers', async () => {
    const { frame } = await panel();
    await open('Residual stream');
    await frame.locator(`[data-section=stream] [data-depth="${trace.model.layers}"]`).waitFor();
    const norms = await inspector.stages.streamNorms({ traceId: trace.id });
    const position = Number(/#(\d+)/.exec((await frame.locator('[data-section=stream] .subtitle').textContent())!)![1]);
    for (let depth = 0; depth <= trace.model.layers; depth++) {
      const bar = frame.locator(`[data-section=stream] [data-depth="${depth}"] .norm`).last();
      const value = Number(await bar.getAttribute('data-value'));
      const expected = norms.stream[depth * trace.tokens.length + position];
      assert.ok(Math.abs(value - expected) < 1e-3, `${value} is not ${expected}`);
    }
    const { layer } = await shownHead();
    const { attention, feedForward } = await inspector.stages.norms({ traceId: trace.id, layer, token: position });
    for (const [part, norm] of [
      ['attention', attention!],
      ['feed-forward', feedForward!],
    ] as const) {
      const after = frame.locator(`[data-norm="${part} after"]`);
      const length = Number(await after.getAttribute('data-length'));
      assert.ok(Math.abs(length - Math.hypot(...norm.after)) < 1e-3, `${part}, after its norm`);
    }
    await workbench.screenshot('stream');
  });

  it('merges the word of a token, and compares vocabularies', async () => {
    const { frame } = await panel();
    await open('Text to tokens');
    const token = Number(/#(\d+)/.exec((await frame.locator('[data-section=merges] .subtitle').textContent())!)![1]);
    const { steps } = await inspector.stages.wordMerges({ traceId: trace.id, token });
    await frame.locator(`.merges [data-step="${steps.length - 1}"]`).waitFor();
    const parts = await frame
      .locator('.merges li')
      .evaluateAll((elements) => elements.map((each) => Number((each as HTMLElement).dataset.parts)));
    assert.deepEqual(
      parts,
      steps.map((step) => step.parts.length),
    );
    const { rows } = await inspector.stages.vocabularies({ traceId: trace.id });
    for (const { name, count } of rows) {
      const row = frame.locator(`[data-vocabulary=${name}]`);
      await row.waitFor();
      assert.equal(Number(await row.getAttribute('data-count')), count);
    }
    await workbench.screenshot('merges');
  });

  it('leads from the rows of a token and its place to the stream', async () => {
    const { frame } = await panel();
    await open('Embedding and position');
    const rows = frame.locator('[data-section=embedding] [data-embedding]');
    await rows.first().waitFor();
    const text = (await frame.locator('[data-section=embedding] .subtitle').textContent())!;
    const token = Number(/#(\d+)/.exec(text)![1]);
    const view = await inspector.stages.embedding({ traceId: trace.id, token, ...(await shownHead()) });
    const { nearest } = await inspector.stages.nearestTokens({ traceId: trace.id, token, limit: 12 });
    await frame.locator(`[data-section=embedding] [data-near="${nearest[0].id}"]`).waitFor();
    const shown = await rows.evaluateAll((elements) => elements.map((each) => ({ ...(each as HTMLElement).dataset })));
    assert.deepEqual(
      shown.map(({ embedding }) => embedding),
      view.steps.map(({ kind }) => kind),
    );
    for (const [at, { vector }] of view.steps.entries()) {
      assert.ok(Math.abs(Number(shown[at].length) - Math.hypot(...vector)) < 1e-3);
    }
    const near = await frame
      .locator('[data-section=embedding] [data-near]')
      .evaluateAll((elements) => elements.map((each) => Number((each as HTMLElement).dataset.near)));
    assert.deepEqual(
      near,
      nearest.map(({ id }) => id),
    );
    await workbench.screenshot('embedding');
  });

  it('lists the neurons that a token excites', async () => {
    const { frame } = await panel();
    await open('Feed-forward');
    const rows = frame.locator('[data-neuron]');
    await rows.first().waitFor();
    const text = (await frame.locator('[data-section=neurons] .subtitle').textContent())!;
    const [layer, token] = text.match(/\d+/g)!.map(Number);
    const { neurons } = await inspector.stages.neurons({ traceId: trace.id, layer, token, limit: 12 });
    const shown = await rows.evaluateAll((elements) =>
      elements.map((each) => Number((each as HTMLElement).dataset.value)),
    );
    for (const [at, { value }] of neurons.entries()) {
      assert.ok(Math.abs(shown[at] - value) < 1e-3, `${shown[at]} is not ${value}`);
    }
  });

  it('follows candidates through the sampler', async () => {
    const { frame } = await panel();
    await open('Choosing, step by step');
    const steps = inspector.stages.samplerSteps({ traceId: trace.id, sampler: SAMPLER, limit: 12 });
    await frame.locator('[data-step-token]').first().waitFor();
    const shown = await frame
      .locator('[data-step-token]')
      .evaluateAll((elements) => elements.map((each) => ({ ...(each as HTMLElement).dataset })));
    assert.deepEqual(
      shown.map(({ stepToken }) => Number(stepToken)),
      steps.rows.map(({ id }) => id),
    );
    for (const [at, { final }] of shown.entries()) {
      assert.ok(Math.abs(Number(final) - (steps.rows[at].final ?? 0)) < TOLERANCE);
    }
    await workbench.screenshot('choosing');
  });

  it('lets the passage grow by keyboard, a token from the cache at a time', async () => {
    const { frame } = await panel();
    await open('Again, token by token');
    const params = { traceId: trace.id, keep: trace.tokens.length, behind: [], untilLineEnd: false };
    const expected = await inspector.continuation(
      { ...params, count: 12, sampler: SAMPLER, seed: 1, limit: 4, withinMs: null },
      (work) => work(),
    );
    const rows = frame.locator('[data-section=again] [data-step]');
    const shown = async () =>
      (await rows.evaluateAll((elements) => elements.map((each) => ({ ...(each as HTMLElement).dataset })))).reverse();
    await frame.locator('vscode-button', { hasText: 'Step' }).press('Enter');
    await frame.locator('[data-grown="1"]').waitFor();
    await frame.locator('vscode-button', { hasText: 'Step' }).press('Enter');
    await frame.locator('[data-grown="2"]').waitFor();
    const [, second] = await shown();
    assert.deepEqual(
      [second.step, second.token, second.reused, second.read],
      [trace.tokens.length + 1, expected.tokens[1].id, trace.tokens.length, 1].map(String),
    );
    assert.ok(Math.abs(Number(second.probability) - expected.tokens[1].probability) < TOLERANCE);
    const cache = frame.locator('[data-section=again] [data-cache]');
    assert.equal(await cache.getAttribute('data-cache'), String(trace.tokens.length + 1));
    await frame.locator('vscode-button', { hasText: 'Continue' }).click();
    await frame.locator('[data-section=again] [data-step]').nth(11).waitFor();
    await frame.locator('vscode-button', { hasText: 'Stop' }).click();
    await frame.locator('vscode-button', { hasText: 'Start over' }).waitFor();
    assert.deepEqual(
      (await shown()).slice(0, 12).map(({ token }) => Number(token)),
      expected.tokens.map(({ id }) => id),
    );
    await workbench.screenshot('again');
    await frame.locator('vscode-button', { hasText: 'Start over' }).press('Enter');
    await frame.locator('[data-grown="0"]').waitFor();
  });

  it('shows the passage as training data', async () => {
    const { frame } = await panel();
    await open('As training data');
    const loss = frame.locator('[data-figure="cross-entropy"]');
    await loss.waitFor();
    const value = Number(await loss.getAttribute('data-value'));
    assert.ok(Math.abs(value - Math.log(trace.perplexity!)) < TOLERANCE);
    assert.equal(await frame.locator('[data-section=training] [data-loss]').count(), trace.tokens.length - 1);
    await workbench.screenshot('training');
  });

  it('opens and closes every stage by mouse and by keyboard', async () => {
    const { frame } = await panel();
    for (const title of STAGES) {
      const button = frame.getByRole('button', { name: title, exact: true });
      const isOpen = async (expected: boolean) => {
        await frame.locator(`.section-title[aria-expanded=${expected}]`).and(button).waitFor();
        const body = frame.locator(`#${await button.getAttribute('aria-controls')}`);
        assert.equal(await body.isVisible(), expected, title);
      };
      const before = (await button.getAttribute('aria-expanded')) === 'true';
      await button.click();
      await isOpen(!before);
      await button.press(before ? 'Enter' : ' ');
      await isOpen(before);
      if (!before) {
        await button.click();
      }
    }
  });

  it('follows a token that is clicked, and one that is reached by keys, in every stage of a token', async () => {
    const { frame } = await panel();
    const follow = async (index: number) => {
      for (const section of OF_A_TOKEN) {
        const subtitle = frame.locator(`[data-section=${section}] .subtitle`);
        await subtitle.filter({ hasText: new RegExp(`#${index}(?!\\d)`) }).waitFor();
      }
      const { nearest } = await inspector.stages.nearestTokens({ traceId: trace.id, token: index, limit: 12 });
      await frame.locator(`[data-section=embedding] [data-near="${nearest[0].id}"]`).waitFor();
      const { layer } = await shownHead();
      const { neurons } = await inspector.stages.neurons({ traceId: trace.id, layer, token: index, limit: 12 });
      await frame.locator(`[data-neuron="${neurons[0].neuron}"]`).first().waitFor();
    };
    await frame.locator('[data-token-index="4"]').first().click();
    // What is pointed at goes before what is pinned.
    await frame.locator('.section-title').first().hover();
    await follow(4);
    await frame.getByRole('listbox', { name: 'Tokens of the passage' }).focus();
    await workbench.page.keyboard.press('ArrowRight');
    await workbench.page.keyboard.press('ArrowRight');
    await workbench.page.keyboard.press('Enter');
    await follow(6);
  });

  it('points at the lens and at the parts of a logit by mouse', async () => {
    const { frame } = await panel();
    await open('Layers');
    const cell = frame.locator('.lens-cell[data-depth="1"]').nth(1);
    const position = Number(await cell.getAttribute('data-position'));
    await cell.hover();
    await frame.locator(`[data-lens-readout="1,${position}"]`).waitFor();
    const listed = await frame.locator('[data-lens-readout] .lens-candidate').count();
    assert.equal(listed, 5, 'the five most probable tokens');
    await cell.click();
    await frame.locator(`[data-token-index="${position}"].is-pinned`).first().waitFor();
    await open('Attribution');
    const difference = frame.locator('[data-section=attribution] [data-difference]');
    await frame.locator('[data-section=attribution] .subtitle', { hasText: `#${position}` }).waitFor();
    await difference.waitFor();
    const link = frame.locator('[data-section=attribution] .plain-link').last();
    const [layer, head] = ((await link.textContent()) ?? '').match(/\d+/g)!.map(Number);
    await link.click();
    await frame.locator(`.matrix[data-layer="${layer}"][data-head="${head}"]`).waitFor();
  });

  it('is drawn whole in every theme, and in a narrow panel', async () => {
    await workbench.page.setViewportSize({ width: 1500, height: 3400 });
    const { frame } = await panel();
    for (const theme of ['light', 'high contrast', 'high contrast light', 'dark'] as const) {
      await workbench.setTheme(theme);
      await workbench.screenshot(`whole-${theme.replaceAll(' ', '-')}`);
    }
    await frame.getByRole('radio', { name: 'Scores', exact: true }).click();
    await workbench.page.setViewportSize({ width: 2400, height: 2600 });
    await frame.locator('.matrix[data-step=scores]').waitFor();
    await workbench.screenshot('wide');
    await workbench.page.setViewportSize({ width: 1100, height: 3800 });
    await frame.locator('[data-arrangement=narrow]').waitFor();
    await workbench.setTheme('light');
    await workbench.screenshot('narrow');
    const overflow = await frame.locator('main.panel').evaluate((main) => main.scrollWidth - main.clientWidth);
    assert.equal(overflow, 0, 'nothing is wider than the panel');
  });

  it('reads a text that is longer than the context in windows, stops, and reads on', async () => {
    await workbench.setTheme('dark');
    await workbench.page.setViewportSize({ width: 1500, height: 1250 });
    const source = readFileSync(path.join(workbench.folder, 'long.py'), 'utf8').split('\n').slice(0, LONG_LINES);
    await workbench.openFile('long.py');
    await workbench.selectLines(1, LONG_LINES);
    await workbench.runCommand(INSPECT);
    await (await panel()).shows('long.py');
    const { id: traceId, model } = await inspector.trace(source.join('\n'));
    // So short that reading on takes seconds, in which it can be stopped.
    const stride = Math.floor(model.contextLength / 16);
    let expected = withWindow(null, await inspector.stages.training({ traceId, stride, window: 0 }));
    while (expected.windowsRead < expected.windows) {
      const window = expected.windowsRead;
      expected = withWindow(expected, await inspector.stages.training({ traceId, stride, window }));
    }
    const { frame, announcement } = await panel();
    await open('As training data');
    const field = frame.locator('[data-section=training] vscode-text-field input');
    await field.fill(String(stride));
    // The first windows are read unasked, by the stride before and by this one: each makes other windows of the text.
    const ofStride = frame.locator(`[aria-valuemax="${expected.windows}"]`);
    const reading = (count: number) =>
      frame.locator(`[data-section=training] .progress[data-done="${count}"]`).filter({ has: ofStride });
    await reading(8).locator('vscode-button', { hasText: 'Read on' }).waitFor();
    await reading(8).locator('vscode-button', { hasText: 'Read on' }).press('Enter');
    await frame.locator('[data-section=training] vscode-button', { hasText: 'Stop' }).click();
    const readOn = frame.locator('[data-section=training] vscode-button', { hasText: 'Read on' });
    await readOn.waitFor();
    await workbench.screenshot('training-stopped');
    const loss = frame.locator('[data-figure="cross-entropy"]');
    const stoppedAt = Number(await loss.getAttribute('data-value'));
    const scored = Number((await frame.locator('[data-section=training] .subtitle').textContent())!.replace(/\D/g, ''));
    assert.ok(scored < expected.scored, `${scored} of ${expected.scored}`);
    const part = expected.losses.subarray(0, scored).reduce((sum, value) => sum + value, 0) / scored;
    assert.ok(Math.abs(stoppedAt - part) < TOLERANCE, `${stoppedAt} is not ${part}`);
    await readOn.click();
    await announcement.filter({ hasText: 'The whole text is read.' }).waitFor({ timeout: 60_000 });
    assert.ok(Math.abs(Number(await loss.getAttribute('data-value')) - expected.meanLoss!) < TOLERANCE);
    assert.equal(await frame.locator('[data-section=training] .progress').count(), 0);
    await workbench.screenshot('training-long');
  }).timeout(180_000);

  /** Puts the crosshair of the matrix on a pair, by keyboard. */
  async function moveTo(query: number, key: number): Promise<void> {
    const { frame } = await panel();
    const matrix = frame.locator('.matrix');
    await matrix.press('Home');
    const position = async () => {
      const at = frame.locator('.callout[data-query], .cell-line[data-query]').first();
      await at.waitFor();
      return Number(await at.getAttribute('data-query'));
    };
    let from = await position();
    while (from !== query) {
      await matrix.press(from < query ? 'ArrowDown' : 'ArrowUp');
      from += from < query ? 1 : -1;
    }
    for (let at = 0; at < key; at++) {
      await matrix.press('ArrowRight');
    }
  }
});
