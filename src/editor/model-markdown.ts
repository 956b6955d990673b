import { describeDevice } from '../protocol/device';
import type { LayerReport, ModelReport } from '../protocol/model';
import { escapeMarkdown } from './escape-markdown';
import { formatCount } from './model-numbers';

/** What the analysis found in a model, as a page of Markdown. */
export function modelMarkdown(report: ModelReport): string {
  const { model, device, graphFile, precision, producer, opsets, inputs, logits, layers } = report;
  const heads =
    model.kvHeads === model.heads ? `${model.heads}` : `${model.heads} (${model.kvHeads} for keys and values)`;
  const facts: readonly (readonly [string, string])[] = [
    ['Architecture', `${model.architecture}, ${model.layers} layers`],
    ['Heads of a layer', `${heads}, ${model.headDim} wide`],
    ['Width', String(model.hiddenSize)],
    ['Vocabulary', model.vocabSize.toLocaleString('en-US')],
    ['Context', `${model.contextLength.toLocaleString('en-US')} tokens`],
    ['Parameters', `${formatCount(model.parameters)} (${model.parameters.toLocaleString('en-US')}), ${precision}`],
    ['Runs on', describeDevice(device)],
    ['Graph', code(graphFile)],
    ['Made by', [producer || 'unnamed', ...opsets].join(', ')],
    ['Reads', inputs.map(({ name, role }) => `${code(name)} (${role})`).join(', ')],
    ['Gives', code(logits)],
  ];
  const problems = [report.attentionUnavailable, report.hiddenStatesUnavailable].filter((problem) => problem !== null);
  return [
    `# ${escapeMarkdown(model.name)}`,
    ['| | |', '| --- | --- |', ...facts.map(([name, value]) => `| ${name} | ${cell(value)} |`)].join('\n'),
    ...report.notes.map(escapeMarkdown),
    ...problems.map((problem) => `> ${escapeMarkdown(problem)}`),
    '## Layers',
    ...(layers.some(({ weights }) => weights?.includes('/parts/'))
      ? ['Names with `/parts/` are of what Headlight computes in the place of an operator, from what went into it.']
      : []),
    ...layers.map(layerSection),
  ].join('\n\n');
}

function layerSection(layer: LayerReport, index: number): string {
  const rows: readonly (readonly [string, string | null])[] = [
    ['residual stream before', layer.residualBefore],
    ['queries', layer.queries],
    ['keys', layer.keys],
    ['values', layer.values],
    ['scores', layer.scores],
    ['scores after the mask', layer.maskedScores],
    ['attention weights', layer.weights],
    ['residual stream after', layer.residualAfter],
  ];
  return [
    `### Layer ${index}`,
    stateOf(layer),
    [
      '| | tensor |',
      '| --- | --- |',
      ...rows.map(([name, tensor]) => `| ${name} | ${tensor ? code(tensor) : '*not found*'} |`),
    ].join('\n'),
  ].join('\n\n');
}

/** How the layer attends, with how many heads, and how a head of it is computed; or why none is shown. */
function stateOf({ form, problem, heads, kvHeads, recomputed }: LayerReport): string {
  if (problem !== null) {
    return `${code(form)} · not shown: ${escapeMarkdown(problem)}`;
  }
  const counted =
    heads === null
      ? []
      : [
          kvHeads === heads
            ? `${heads} heads`
            : `${heads} query heads on ${kvHeads} key ${kvHeads === 1 ? 'head' : 'heads'}`,
        ];
  return [code(form), ...counted, ...(recomputed === null ? [] : [`a head is computed ${recomputed}`])].join(' · ');
}

function code(text: string): string {
  return `\`${text.replaceAll('`', "'").replaceAll('|', '\\|')}\``;
}

function cell(text: string): string {
  return text.replaceAll('\n', ' ');
}
