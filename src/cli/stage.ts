import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Inspector } from '../engine/inspect/inspector';
import { HeadlightError } from '../protocol/errors';
import { HEAD_SCORES, type HeadScoreName, type HeadScoring } from '../protocol/heads';
import {
  type AttentionStep,
  type AttributionSource,
  type EmbeddingStep,
  HEADS_NOT_TOLD,
  type WordPart,
} from '../protocol/stages';
import type { Trace } from '../protocol/trace';
import { type TrainingView, withWindow } from '../protocol/training';
import type { CommandLine, StageChoice } from './command-line';
import { writeNpy } from './npy';
import { percent, quoted, table } from './page';
import { showProgress } from './progress';
import { visible } from './visible';

/** What a stage comes to: a page for people, the same for programs, and its tensors by file name. */
interface StageOutput {
  readonly page: string;
  readonly json: object;
  readonly tensors?: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;
}

const STEPS: readonly AttentionStep[] = ['scores', 'masked', 'weights', 'weighted'];
/** Rows of a page. */
const KEYS = 10;
const CANDIDATES = 5;
const PARTS = 20;
const FOLLOWED = 20;
const NEURONS = 16;
const NEAREST = 10;
/** Tokens that are generated where no count is given. */
const GENERATED = 20;
/** Of a vector. */
const NUMBERS = 6;
const HEADS_OF_A_KIND = 8;
/** Heads are scored for so long until it is said how far that is. */
const PIECE_MS = 100;

const SCORE_TITLES: Readonly<Record<HeadScoreName, string>> = {
  previous: 'Previous token: weight on the token just before',
  induction: 'Induction: weight on what followed the same token earlier',
  duplicate: 'Duplicate token: weight on the same token earlier',
  first: 'First token: weight on what stands first',
};

/**
 * One stage of a trace as `--json` or as a page, after its tensors were written where they are asked for.
 *
 * @throws HeadlightError `argument-invalid` for a part that is not there, a stage without tensors, or a folder that cannot
 * be written to; what the stage itself throws
 */
export async function showStage(
  inspector: Inspector,
  trace: Trace,
  commandLine: CommandLine,
  choice: StageChoice,
): Promise<string> {
  const { page, json, tensors } = await computeStage(inspector, trace, commandLine, choice);
  const about = aboutStage(trace, commandLine, choice);
  const directory = commandLine.tensors;
  if (directory !== null) {
    if (tensors === undefined) {
      throw new HeadlightError('argument-invalid', `The stage ${choice.name} has no tensors to write; use --json.`);
    }
    try {
      await mkdir(directory, { recursive: true });
      for (const [name, { shape, values }] of tensors) {
        await writeNpy(path.join(directory, `${name}.npy`), shape, [values], { ...about, tensor: name });
      }
    } catch (cause) {
      throw new HeadlightError(
        'argument-invalid',
        `The tensors cannot be written to ${path.resolve(directory)} (${(cause as Error).message}); name another folder.`,
        { cause },
      );
    }
  }
  return commandLine.json ? `${JSON.stringify({ stage: choice.name, about, ...json }, plain, 2)}\n` : `${page}\n`;
}

/** Where a stage's numbers come from, for the files that they are written to. */
function aboutStage(
  { model, device, tokens, truncation }: Trace,
  { sampler }: CommandLine,
  choice: StageChoice,
): object {
  const { name, architecture, layers, heads, parameters } = model;
  const { name: stage, ...chosen } = choice;
  const bytes = tokens.flatMap((token) => (token.added ? [] : token.bytes));
  return {
    program: 'Headlight',
    stage,
    model: { name, architecture, layers, heads, parameters },
    device: device.device,
    passage: {
      tokens: tokens.length,
      ofTokens: truncation?.totalTokens ?? tokens.length,
      text: new TextDecoder().decode(Uint8Array.from(bytes)),
    },
    settings: { ...chosen, ...sampler },
  };
}

function computeStage(
  inspector: Inspector,
  trace: Trace,
  { sampler }: CommandLine,
  choice: StageChoice,
): Promise<StageOutput> {
  const token = choice.token ?? trace.tokens.length - 1;
  switch (choice.name) {
    case 'tokens':
      return merges(inspector, trace, token);
    case 'embedding':
      return embedding(inspector, trace, choice.layer, choice.head, token);
    case 'feed-forward':
      return feedForward(inspector, trace, choice.layer, token);
    case 'attention':
      return attention(inspector, trace, choice.layer, choice.head, token);
    case 'heads':
      return heads(inspector, trace);
    case 'stream':
      return stream(inspector, trace, choice.layer, token);
    case 'lens':
      return lens(inspector, trace, token);
    case 'attribution':
      return attribution(inspector, trace, token);
    case 'sampler':
      return samplerSteps(inspector, trace, sampler);
    case 'again':
      return again(inspector, trace, sampler, choice.count ?? GENERATED, choice.seed ?? 1);
    case 'training':
      return training(inspector, trace, choice.stride ?? Math.floor(trace.model.contextLength / 2));
  }
}

/** How the token's word was merged, and what other vocabularies make of the passage. */
async function merges(inspector: Inspector, { id: traceId }: Trace, token: number): Promise<StageOutput> {
  const word = await inspector.stages.wordMerges({ traceId, token });
  const others = await inspector.stages.vocabularies({ traceId });
  const nameOfPart = ({ text, bytes }: WordPart) =>
    text.includes('\ufffd')
      ? bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join('')
      : visible(text);
  const steps = word.steps.map(({ parts, rank }) => [
    rank === null ? 'bytes' : String(rank),
    parts.map(nameOfPart).join('·'),
  ]);
  const counts = others.rows.map(({ name, vocabSize, count, bytesPerToken, own }) => [
    String(vocabSize),
    String(count),
    bytesPerToken.toFixed(2),
    own ? `${name} (the model's own)` : name,
  ]);
  const page = [
    table(`Merges of the word of #${token}, in ${word.encoding}`, ['rank', 'parts'], steps, false),
    table('The passage under other vocabularies', ['size', 'tokens', 'bytes a token', 'vocabulary'], counts, false),
  ];
  return { page: page.join('\n\n'), json: { merges: word, vocabularies: others.rows } };
}

/** From the token's row to the first stream, and what a layer does with its place. */
async function embedding(
  inspector: Inspector,
  { id: traceId, tokens }: Trace,
  layer: number,
  head: number,
  token: number,
): Promise<StageOutput> {
  const view = await inspector.stages.embedding({ traceId, token, layer, head });
  const { nearest } = await inspector.stages.nearestTokens({ traceId, token, limit: NEAREST });
  const { steps, rotary, alibiSlope, missing } = view;
  const some = (vector: Float32Array) =>
    [...vector.subarray(0, NUMBERS)].map((value) => value.toFixed(3).padStart(7)).join(' ');
  const row = (name: string, vector: Float32Array) => [Math.hypot(...vector).toFixed(3), `${some(vector)}  ${name}`];
  const title = `Embedding of #${token} ${quoted(tokens[token])}: the first ${NUMBERS} of ${steps[0].vector.length} numbers`;
  const pages = [
    table(
      title,
      ['length', 'numbers'],
      steps.map((step) => row(nameOfStep(step), step.vector)),
      false,
    ),
    table(
      'Nearest rows of the embedding matrix',
      ['cosine', 'token'],
      nearest.map((near) => [near.cosine.toFixed(4), quoted(near)]),
      false,
    ),
  ];
  const tensors = new Map(
    steps.map(({ kind, vector }) => [`embedding-${kind}`, { shape: [vector.length], values: vector }]),
  );
  if (rotary !== null) {
    const { pairing, angles, frequencies, queryBefore, queryAfter, keyBefore, keyAfter } = rotary;
    const places = (pair: number) =>
      pairing === 'halves' ? `${pair} and ${pair + angles.length}` : `${2 * pair} and ${2 * pair + 1}`;
    const vectors = {
      'query-before': queryBefore,
      'query-after': queryAfter,
      'key-before': keyBefore,
      'key-after': keyAfter,
    };
    pages.push(
      table(
        `Rotation of layer ${layer}, head ${head}, by position: radians`,
        ['a token', 'here', 'numbers'],
        [...angles.subarray(0, NUMBERS)].map((angle, pair) => [
          frequencies[pair].toPrecision(4),
          angle.toFixed(4),
          places(pair),
        ]),
        false,
      ),
      table(
        'Query and key',
        ['length', 'numbers'],
        Object.entries(vectors).map(([name, vector]) => row(name.replace('-', ' '), vector)),
        false,
      ),
    );
    for (const [name, values] of Object.entries({ ...vectors, angles, frequencies })) {
      tensors.set(`rotary-${name}`, { shape: [values.length], values });
    }
  }
  if (alibiSlope !== null) {
    pages.push(
      `ALiBi: layer ${layer}, head ${head} adds ${alibiSlope.toPrecision(6)} for each token that a key is nearer`,
    );
  }
  if (missing !== null) {
    pages.push(missing);
  }
  return { page: pages.join('\n\n'), json: { ...view, nearest }, tensors };
}

function nameOfStep(step: EmbeddingStep): string {
  switch (step.kind) {
    case 'token':
      return 'row of the token';
    case 'scale':
      return `× ${step.factor.toPrecision(5)}`;
    case 'position':
      return `position, ${step.form}${step.row === null ? '' : `, row ${step.row}`}`;
    case 'sum':
      return 'sum';
    case 'norm':
      return 'after the norm';
    case 'projection':
      return 'projected';
    case 'other':
      return step.operators.join(', ');
  }
}

async function feedForward(
  inspector: Inspector,
  { id: traceId, tokens }: Trace,
  layer: number,
  token: number,
): Promise<StageOutput> {
  const answer = await inspector.stages.neurons({ traceId, layer, token, limit: NEURONS });
  const rows = answer.neurons.map(({ neuron, projected, value, exciting }) => [
    String(neuron),
    projected.map((before) => before.toFixed(3)).join(' ') || '–',
    value.toFixed(3),
    exciting
      .map(({ position, value: there }) => `#${position} ${quoted(tokens[position])} ${there.toFixed(2)}`)
      .join('  '),
  ]);
  const title =
    `Layer ${layer}, feed-forward at #${token} ${quoted(tokens[token])}: ${answer.active} of ${answer.width} neurons ` +
    `above 0 after ${answer.activation}${answer.gated ? ', gated' : ''}`;
  return { page: table(title, ['neuron', 'before', 'after', 'strongest at'], rows, false), json: answer };
}

/** A head's steps; the page works one row out. */
async function attention(
  inspector: Inspector,
  { id: traceId, tokens }: Trace,
  layer: number,
  head: number,
  query: number,
): Promise<StageOutput> {
  const length = tokens.length;
  const row = await inspector.stages.workedRow({ traceId, layer, head, query, key: null, limit: KEYS });
  const whole = { from: 0, to: length };
  const tensors = new Map();
  for (const step of STEPS) {
    const params = { traceId, layer, head, queries: whole, keys: whole, resolution: length, step };
    const { weights } = await inspector.stages.headStep(params);
    tensors.set(step, { shape: [length, length], values: weights });
  }
  const number = (value: number) => value.toFixed(3);
  const rows = row.keys.map(({ key, product, score, masked, weight, valueNorm }) => [
    String(key),
    number(product),
    number(score),
    masked === null ? 'masked' : number(masked),
    number(weight),
    number(valueNorm),
    number(weight * valueNorm),
    quoted(tokens[key]),
  ]);
  const heading = ['key', 'q·k', 'score', 'after mask', 'softmax', '‖v‖', '× ‖v‖', 'token'];
  const rest = row.otherKeys > 0 ? `\n  and ${row.otherKeys} more keys with ${number(row.otherWeight)} together` : '';
  const title = `Layer ${layer}, head ${head}: what #${query} ${quoted(tokens[query])} reads`;
  const mixed = `\n  ‖z‖ of the sum of weight × v: ${number(Math.hypot(...row.mixed))}`;
  const { projection } = row;
  const added = projection.available
    ? `\n  ‖W_O z‖ that this head adds to the stream: ${number(Math.hypot(...projection.added))}, ` +
      `all ${projection.addedNorms.length} heads together ${number(Math.hypot(...projection.total))}`
    : `\n  ${projection.reason}`;
  return { page: `${table(title, heading, rows, false)}${rest}${mixed}${added}`, json: row, tensors };
}

/** Every head's scores; the page lists the strongest of each kind. */
async function heads(inspector: Inspector, { id: traceId }: Trace): Promise<StageOutput> {
  let scoring: HeadScoring;
  try {
    do {
      scoring = await inspector.scoreHeads({ traceId, withinMs: PIECE_MS });
      showProgress(`${scoring.done} of ${scoring.of} layers scored on two random texts`);
    } while (scoring.scores === null);
  } finally {
    showProgress('');
  }
  const { scores } = scoring;
  const { layers, heads, passage, repeated, control, randomText } = scores;
  const { length, first, beginsText } = randomText;
  const share = (value: number) => (Number.isNaN(value) ? '–' : value.toFixed(3));
  const tables = HEAD_SCORES.map((name) => {
    const strongest = Array.from(repeated[name].keys())
      .sort((a, b) => repeated[name][b] - repeated[name][a] || a - b)
      .slice(0, HEADS_OF_A_KIND);
    const rows = strongest.map((at) => [
      share(repeated[name][at]),
      share(control[name][at]),
      share(passage[name][at]),
      `${Math.floor(at / heads)}.${at % heads}`,
    ]);
    return table(SCORE_TITLES[name], ['repeated', 'control', 'passage', 'layer.head'], rows, false);
  });
  const start = beginsText
    ? `after ${quoted(first)}, which begins a text`
    : 'after one more random token, since the model has none that begins a text';
  const about =
    `repeated: ${length} random tokens and the same again, ${start}; mean weights in the second copy\n` +
    `control: the same places in random tokens of which none occurs twice`;
  const stacked = (columns: typeof passage) => {
    const values = new Float32Array(HEAD_SCORES.length * layers * heads);
    for (const [at, name] of HEAD_SCORES.entries()) {
      values.set(columns[name], at * layers * heads);
    }
    return { shape: [HEAD_SCORES.length, layers, heads], values };
  };
  return {
    page: `${tables.join('\n\n')}\n\n${about}`,
    json: { scores: HEAD_SCORES, ...scores },
    tensors: new Map([
      ['passage', stacked(passage)],
      ['repeated', stacked(repeated)],
      ['control', stacked(control)],
    ]),
  };
}

async function stream(
  inspector: Inspector,
  { id: traceId, tokens }: Trace,
  layer: number,
  token: number,
): Promise<StageOutput> {
  const norms = await inspector.stages.streamNorms({ traceId });
  const { layers, length } = norms;
  checkToken(token, length);
  const at = (values: Float32Array, row: number) => values[row * length + token].toFixed(2);
  const rows = Array.from({ length: layers + 1 }, (_, depth) => [
    depth === 0 ? '–' : at(norms.attention, depth - 1),
    depth === 0 ? '–' : at(norms.feedForward, depth - 1),
    at(norms.stream, depth),
    depth === 0 ? 'embeddings' : `layer ${depth - 1}`,
  ]);
  const title = `Residual stream at #${token} ${quoted(tokens[token])}: Euclidean lengths`;
  const normsAt = await inspector.stages.norms({ traceId, layer, token });
  const normed = (['attention', 'feedForward'] as const).flatMap((part) => {
    const view = normsAt[part];
    return view === null
      ? []
      : [
          `  ${view.kind} before the ${part === 'attention' ? 'attention' : 'feed-forward'} of layer ${layer}: ` +
            `mean ${view.mean.toFixed(3)}, divided by ${view.divisor.toFixed(3)}; length ` +
            `${Math.hypot(...view.before).toFixed(2)} before, ${Math.hypot(...view.after).toFixed(2)} after`,
        ];
  });
  return {
    page: [table(title, ['+ attention', '+ feed-forward', 'stream after', ''], rows, false), ...normed].join('\n'),
    json: { ...norms, norms: normsAt },
    tensors: new Map([
      ['stream', { shape: [layers + 1, length], values: norms.stream }],
      ['attention-added', { shape: [layers, length], values: norms.attention }],
      ['feed-forward-added', { shape: [layers, length], values: norms.feedForward }],
    ]),
  };
}

async function lens(inspector: Inspector, { id: traceId, tokens }: Trace, token: number): Promise<StageOutput> {
  checkToken(token, tokens.length);
  const positions = { from: token, to: token + 1 };
  const answer = await inspector.stages.lens({ traceId, positions, limit: CANDIDATES });
  const rows = answer.rows.map(([cell], depth) => [
    depth === 0 ? 'before' : `layer ${depth - 1}`,
    cell.actual === null ? '–' : String(cell.actual.rank),
    cell.tokens.map((each) => `${quoted(each)} ${percent(each.probability)}`).join('  '),
  ]);
  const title = `Logit lens after #${token} ${quoted(tokens[token])}`;
  return { page: table(title, ['depth', 'rank of the text', 'most probable'], rows, false), json: answer };
}

async function attribution(inspector: Inspector, { id: traceId, tokens }: Trace, token: number): Promise<StageOutput> {
  checkToken(token, tokens.length);
  const positions = { from: token, to: token + 1 };
  const { rows: depths } = await inspector.stages.lens({ traceId, positions, limit: 2 });
  const best = depths.at(-1)![0].tokens;
  // The token that follows against the best other one; after the passage, the best against the second.
  const target = tokens[token + 1]?.id ?? best[0].id;
  const against = best.find(({ id }) => id !== target)!.id;
  const answer = await inspector.stages.attribution({ traceId, position: token, target, against });
  const strongest = [...answer.parts].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, PARTS);
  const sum = answer.parts.reduce((total, { value }) => total + value, 0);
  const title =
    `${quoted(answer.target)} against ${quoted(answer.against)} after #${token} ${quoted(tokens[token])}: ` +
    `logits differ by ${answer.difference.toFixed(4)}, all ${answer.parts.length} parts add up to ${sum.toFixed(4)}`;
  const rows = strongest.map(({ source, value }) => [value.toFixed(4), nameOf(source)]);
  const whole = answer.parts.flatMap(({ source }) => (source.kind === 'attention' ? [nameOf(source)] : []));
  const note = whole.length === 0 ? '' : `\n  Undivided: ${whole.join(', ')}. ${HEADS_NOT_TOLD}`;
  return { page: table(title, ['pushes by', 'part'], rows, false) + note, json: answer };
}

async function samplerSteps(
  inspector: Inspector,
  { id: traceId }: Trace,
  sampler: CommandLine['sampler'],
): Promise<StageOutput> {
  const steps = inspector.stages.samplerSteps({ traceId, sampler, limit: FOLLOWED });
  const share = (value: number | null) => (value === null ? 'cut' : percent(value));
  const rows = steps.rows.map((row) => [
    row.logit.toFixed(3),
    row.scaled.toFixed(3),
    share(row.afterTopK),
    share(row.afterMinP),
    share(row.cumulative),
    share(row.afterTopP),
    share(row.final),
    quoted(row),
  ]);
  const title =
    `Sampler: ${steps.keptByTopK} tokens after top-k, ${steps.keptByMinP} after min-p, ${steps.keptByTopP} after top-p; ` +
    `what is left is divided by ${steps.mass.toFixed(4)}`;
  const heading = ['logit', '÷ T', 'softmax', 'min-p', 'sum', 'top-p', 'drawn with', 'token'];
  return { page: table(title, heading, rows, false), json: steps };
}

/** The passage growing, a token at a time, from the cache of those before. */
async function again(
  inspector: Inspector,
  { id: traceId, tokens }: Trace,
  sampler: CommandLine['sampler'],
  count: number,
  seed: number,
): Promise<StageOutput> {
  const params = { traceId, keep: tokens.length, behind: [], untilLineEnd: false, limit: 3, withinMs: null };
  const answer = await inspector.continuation({ ...params, count, sampler, seed }, (work) => work());
  const rows = answer.tokens.map((token, at) => [
    String(tokens.length + at),
    percent(token.probability),
    percent(token.samplerProbability),
    String(token.rank),
    String(token.reused),
    String(token.read),
    quoted(token),
  ]);
  const last = answer.tokens.at(-1)!;
  const held = last.reused + last.read;
  const bytes = answer.tokens.flatMap((token) => token.bytes);
  const cache =
    answer.cacheBytesPerToken === 0
      ? 'no cache'
      : `a cache of ${held} tokens, ${((held * answer.cacheBytesPerToken) / 2 ** 20).toFixed(2)} MB`;
  const end = answer.ended === 'end-token' ? 'until the model ended the text' : `${rows.length} tokens`;
  const heading = ['#', 'raw', 'drawn with', 'rank', 'reused', 'read', 'token'];
  const page = [
    table(`Again, ${end}; ${cache}`, heading, rows, false),
    `Text: ${quoted({ text: new TextDecoder().decode(Uint8Array.from(bytes)) })}`,
  ];
  return { page: page.join('\n\n'), json: answer };
}

/** The passage as training data, window after window; what is running is told on the way. */
async function training(inspector: Inspector, { id: traceId }: Trace, stride: number): Promise<StageOutput> {
  let read: TrainingView | null = null;
  try {
    do {
      read = withWindow(read, await inspector.stages.training({ traceId, stride, window: read?.windowsRead ?? 0 }));
      if (read.windows > 1) {
        showProgress(`${read.windowsRead} of ${read.windows} windows read`);
      }
    } while (read.windowsRead < read.windows);
  } finally {
    showProgress('');
  }
  const view = read;
  const rows = view.rows.map(({ position, input, target, probability, loss }) => [
    String(position),
    percent(probability),
    loss.toFixed(3),
    `${quoted(input)} → ${quoted(target)}`,
  ]);
  const figures =
    view.meanLoss === null
      ? 'nothing to foretell'
      : `cross-entropy ${view.meanLoss.toFixed(4)} nats, perplexity ${view.perplexity!.toFixed(2)}` +
        (view.bitsPerByte === null ? '' : `, ${view.bitsPerByte.toFixed(3)} bits per byte`);
  const windows = view.windows > 1 ? `, in ${view.windows} windows with stride ${view.stride}` : '';
  const title = `As training data: ${view.scored} of ${view.tokens} tokens scored${windows}; ${figures}`;
  const rest = rows.length < view.scored ? `\n  The first ${rows.length} are listed; the figures are of all.` : '';
  return {
    page: table(title, ['position', 'probability', 'loss', 'input → target'], rows, false) + rest,
    json: view,
    tensors: new Map([['losses', { shape: [view.scored], values: view.losses }]]),
  };
}

function checkToken(token: number, length: number): void {
  if (token >= length) {
    throw new HeadlightError('argument-invalid', `There is no token ${token}; the passage has ${length}.`);
  }
}

function nameOf(source: AttributionSource): string {
  switch (source.kind) {
    case 'embedding':
      return 'embeddings';
    case 'head':
      return `layer ${source.layer}, head ${source.head}`;
    case 'attention':
      return `layer ${source.layer}, attention`;
    case 'attention-bias':
      return `layer ${source.layer}, bias of attention`;
    case 'feed-forward':
      return `layer ${source.layer}, feed-forward`;
    case 'final-bias':
      return 'biases of norm and head';
  }
}

/** Typed arrays as lists of numbers; JSON has no NaN. */
function plain(_: string, value: unknown): unknown {
  return value instanceof Float32Array || value instanceof Uint32Array ? Array.from(value) : value;
}
