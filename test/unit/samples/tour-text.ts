import assert from 'node:assert/strict';
import type { Inspector } from '../../../src/engine/inspect/inspector';
import type { AttributionSource, NamedToken } from '../../../src/protocol/stages';
import type { TokenReading, Trace } from '../../../src/protocol/trace';
import { withWindow } from '../../../src/protocol/training';

/** What the tour is taken through. Each stands on a line of its own, to be selected there. */
const PASSAGES = {
  english: 'Marta Ellingsen had kept the lamp. Marta Ellingsen',
  word: 'The animal',
  chinese: '灯光照着窗外的雨',
  code: 'for (let index = 0; index < names.length; index',
};

const PLAIN = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/**
 * The guided tour, `samples/tour.md`, with its numbers taken from a model. What a sentence says in words is asserted beside
 * it, so that no text comes of a model of which it is not true.
 */
export async function tourText(inspector: Inspector): Promise<string> {
  const { model } = inspector.loaded;
  const { stages } = inspector;
  const traces = {
    english: await inspector.trace(PASSAGES.english),
    word: await inspector.trace(PASSAGES.word),
    chinese: await inspector.trace(PASSAGES.chinese),
    code: await inspector.trace(PASSAGES.code),
  };
  // Two passages are kept at a time: each is asked about while it is the newest.
  const again = (name: keyof typeof PASSAGES) => inspector.trace(PASSAGES[name]);

  const { tokens: chinese } = traces.chinese;
  const shared = chinese.filter(({ text }) => text.includes('\ufffd'));
  const characters = [...PASSAGES.chinese].length;
  assert.ok(chinese.length > characters && shared.length > 0, 'Chinese characters take several tokens');

  const word = await again('word');
  const merges = await stages.wordMerges({ traceId: word.id, token: word.tokens.length - 1 });
  const [bytes] = merges.steps;
  const madeOfOne = merges.steps.at(-1)!.parts.length === 1;
  assert.ok(madeOfOne && merges.steps.length > 2, '“ animal” is merged to one token in several steps');
  const vocabularies = await stages.vocabularies({ traceId: (await again('chinese')).id });
  const counts = new Map(vocabularies.rows.map(({ name, count }) => [name, count]));
  assert.ok(counts.get('o200k_base')! < counts.get('r50k_base')!, 'newer vocabularies need fewer tokens for Chinese');

  const english = await again('english');
  const lamp = tokenOf(english, ' lamp');
  const embedding = await stages.embedding({
    ...{ traceId: english.id, token: lamp.index, layer: 0, head: 0 },
  });
  const { nearest } = await stages.nearestTokens({ traceId: english.id, token: lamp.index, limit: 3 });
  const row = embedding.steps.find(({ kind }) => kind === 'token')!;
  const position = embedding.steps.find(({ kind }) => kind === 'position')!;
  const sum = embedding.steps.at(-1)!;
  assert.ok(
    sum.vector.every((value, at) => Math.abs(value - row.vector[at] - position.vector[at]) < 1e-4),
    'the stream begins as the sum of both rows',
  );

  const scores = await inspector.headScores({ traceId: english.id });
  const best = largestAt(scores.repeated.induction);
  const [layer, head] = [Math.floor(best / scores.heads), best % scores.heads];
  assert.ok(scores.repeated.induction[best] > 0.5, 'the model has an induction head');
  const [firstPart, , , ...lastParts] = namesOf(english, 'ings');
  const query = namesOf(english, ' Ell')[1];
  const followed = namesOf(english, ' Ell')[0] + 1;
  assert.ok(firstPart === followed && lastParts.length === 0, 'the name comes twice');
  const worked = await stages.workedRow({ traceId: english.id, layer, head, query, key: followed, limit: 3 });
  const [strongest] = worked.keys;
  assert.equal(strongest.key, followed, 'the induction head reads most from what followed the first time');
  assert.ok(worked.scale !== null, 'scores are products by one number');

  const norms = await stages.streamNorms({ traceId: english.id });
  const lastIndex = english.tokens.length - 1;
  const streamAt = (depth: number) => norms.stream[depth * norms.length + lastIndex];
  assert.ok(streamAt(norms.layers) > streamAt(0), 'the vector grows');
  const lastLayer = model.layers - 1;
  const neurons = await stages.neurons({ traceId: english.id, token: lastIndex, layer: lastLayer, limit: 1 });

  const code = await again('code');
  const codeEnd = code.tokens.length - 1;
  const lens = await stages.lens({ traceId: code.id, positions: { from: codeEnd, to: codeEnd + 1 }, limit: 2 });
  const [guess, other] = lens.rows.at(-1)![0].tokens;
  const depths = lens.rows.map(([{ tokens }]) => tokens[0].id === guess.id);
  const settled = depths.lastIndexOf(false) + 1;
  assert.ok(settled >= 2, 'it takes some layers until the guess is found');
  const attribution = await stages.attribution({
    ...{ traceId: code.id, position: codeEnd, target: guess.id, against: other.id },
  });
  const total = attribution.parts.reduce((added, { value }) => added + value, 0);
  assert.ok(Math.abs(total - attribution.difference) < 1e-3, 'the parts add up');
  const pushes = [...attribution.parts].sort((a, b) => b.value - a.value)[0];

  const sampled = stages.samplerSteps({ traceId: code.id, sampler: { ...PLAIN, topP: 0.9 }, limit: 3 });
  assert.ok(sampled.keptByTopP > 1, 'more than one token is kept');
  assert.equal(sampled.rows[0].id, guess.id);
  const { tokens: grown } = await inspector.continuation(
    {
      ...{ traceId: code.id, keep: code.tokens.length, behind: [], count: 3, untilLineEnd: false },
      ...{ sampler: { ...PLAIN, temperature: 0 }, seed: 0, limit: 1, withinMs: null },
    },
    (work) => work(),
  );
  assert.deepEqual(
    grown.map(({ reused, read }) => reused + read),
    [0, 1, 2].map((step) => code.tokens.length + step),
    'each step is one token longer',
  );
  assert.ok(grown[1].read === 1 && grown[2].read === 1, 'a step reads the one new token');

  const stride = model.contextLength / 2;
  const training = withWindow(null, await stages.training({ traceId: code.id, stride, window: 0 }));
  const dearest = [...training.rows].sort((a, b) => b.loss - a.loss)[0];
  const cheapest = [...training.rows].sort((a, b) => a.loss - b.loss)[0];

  return wrapped(`# From text to the next token, in nine stages

Select the line of a passage below without its line break, press **Ctrl+Alt+H**, and open the sections of the panel as they are named here. The numbers
are those of \`${model.name}\`: ${model.layers} layers of ${model.heads} heads, vectors of ${model.hiddenSize} numbers.

## 1 Tokens (section *Text to tokens*)

\`\`\`
${PASSAGES.chinese}
${PASSAGES.word}
\`\`\`

The first line has ${characters} characters and is ${chinese.length} tokens: ${shared.length} of them are only a part of a
character. The vocabulary o200k needs ${counts.get('o200k_base')} for it. In the second line, “·animal” is put together from
${bytes.parts.length} bytes in ${merges.steps.length - 1} merges:

${merges.steps.map(({ parts }) => `- ${parts.map(({ text }) => text.replace(' ', '·')).join(' | ')}`).join('\n')}

## 2 Embedding and position

\`\`\`
${PASSAGES.english}
\`\`\`

The passage is ${english.tokens.length} tokens. Pin “·lamp”, token ${lamp.index}: its id ${lamp.id} is the number of a row of
length ${fixed(Math.hypot(...row.vector))}. The row of its position has the length ${fixed(Math.hypot(...position.vector))},
and their sum ${fixed(Math.hypot(...sum.vector))}. The rows that point most nearly the same way belong to
${listed(nearest.map(quoted))}.

## 3 Attention (sections *Attention* and *One row in numbers*)

Choose layer ${layer}, head ${head}, and pin the second “·Ell”, token ${query}. This is an induction head: it looks for what
followed the last time. Of the ${query + 1} tokens that it may read, “ings”, token ${followed}, has the largest weight,
${fixed(strongest.weight)}: q·k = ${fixed(strongest.product)}, times ${fixed(worked.scale, 3)} is the score
${fixed(strongest.score)}, and the softmax makes the weight of it.

## 4 Residual stream

At the last token the vector begins with the length ${fixed(streamAt(0))} and has ${fixed(streamAt(norms.layers))} after the
last layer.

## 5 Feed-forward

In layer ${lastLayer}, ${neurons.active} of ${neurons.width} neurons are above 0 at the last token, after ${neurons.activation}. The
one of the largest value is ${neurons.neurons[0].neuron}, with ${fixed(neurons.neurons[0].value)}.

## 6 Logits (sections *Layers* and *Attribution*)

\`\`\`
${PASSAGES.code}
\`\`\`

The model would go on with ${quoted(guess)}. Read off with the logit lens, that is the first guess from
layer ${settled - 1} on. Its logit is ${fixed(attribution.difference)} above that of
${quoted(other)}. The parts of the model add up to this difference; ${sourceName(pushes.source)} pushes most, by
${fixed(pushes.value)}.

## 7 Choosing (section *Choosing, step by step*)

An example to check by hand: if top-p keeps two tokens of 0.38 and 0.18, they become 0.38 / 0.56 = ${fixed(0.38 / 0.56)} and
0.18 / 0.56 = ${fixed(0.18 / 0.56)}. On the code, with a top-p of 0.9 and all else neutral, ${sampled.keptByTopP} of
${sampled.vocabSize} tokens are kept, ${fixed(sampled.mass, 3)} of the probability; so ${quoted(guess)} goes from
${fixed(guess.probability, 3)} to ${fixed(sampled.rows[0].final!, 3)}.

## 8 Again (section *Again, token by token*)

At temperature 0 the next three tokens are ${listed(grown.map(quoted))}. For the last of them ${grown[2].reused} tokens were in
the key/value cache, and ${grown[2].read} was read.

## 9 Training (section *As training data*)

The same line as training data has ${training.scored} predictions. The cheapest is ${quoted(cheapest.target)}, a loss of
${fixed(cheapest.loss)}, the dearest ${quoted(dearest.target)}, ${fixed(dearest.loss)}. Their mean, the cross-entropy, is
${fixed(training.meanLoss!)} nats: a perplexity of ${fixed(training.perplexity!, 1)}, and ${fixed(training.bitsPerByte!)} bits per byte.
`);
}

/** Paragraphs in lines of at most 120 characters; what is no prose stays as it is. */
function wrapped(text: string): string {
  return text
    .split('\n\n')
    .map((block) =>
      /^[#`-]/.test(block)
        ? block
        : block
            .trim()
            .replaceAll('\n', ' ')
            .replace(/(.{1,120})(?: |$)/g, '$1\n'),
    )
    .map((block) => block.replace(/\n$/, ''))
    .join('\n\n')
    .concat('\n');
}

function tokenOf({ tokens }: Trace, text: string): TokenReading {
  const token = tokens.find((other) => other.text === text);
  assert.ok(token !== undefined, `the passage has a token “${text}”`);
  return token;
}

/** The indices of all tokens of that text. */
function namesOf({ tokens }: Trace, text: string): number[] {
  return tokens.filter((token) => token.text === text).map(({ index }) => index);
}

function largestAt(values: Float32Array): number {
  return values.reduce((best, value, at) => (value > values[best] ? at : best), 0);
}

function fixed(value: number, digits = Math.abs(value) < 100 ? 2 : 1): string {
  return value.toFixed(digits).replace('-', '−');
}

function quoted({ text }: Pick<NamedToken, 'text'>): string {
  return `\`${text.replaceAll(' ', '·').replaceAll('\n', '⏎')}\``;
}

function listed(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function sourceName(source: AttributionSource): string {
  switch (source.kind) {
    case 'head':
      return `head ${source.head} of layer ${source.layer}`;
    case 'feed-forward':
      return `the feed-forward of layer ${source.layer}`;
    case 'attention':
      return `the attention of layer ${source.layer}`;
    case 'attention-bias':
      return `the bias of layer ${source.layer}’s attention`;
    case 'embedding':
      return 'the embedding';
    case 'final-bias':
      return 'the bias of the final norm';
  }
}
