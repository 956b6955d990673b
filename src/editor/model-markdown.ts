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
    ...(report.branch === null ? [] : [escapeMarkdown(report.branch)]),
    ...problems.map((problem) => `> ${escapeMarkdown(problem)}`),
    '## Layers',
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
  const found = rows.filter(([, tensor]) => tensor !== null);
  const state =
    layer.problem === null
      ? layer.recomputed === null
        ? ''
        : ` · a head is computed ${layer.recomputed}`
      : ` · not shown: ${escapeMarkdown(layer.problem)}`;
  return [
    `### Layer ${index}`,
    `${code(layer.form)}${state}`,
    ...(found.length === 0
      ? []
      : [
          ['| | tensor |', '| --- | --- |', ...found.map(([name, tensor]) => `| ${name} | ${code(tensor!)} |`)].join(
            '\n',
          ),
        ]),
  ].join('\n\n');
}

function code(text: string): string {
  return `\`${text.replaceAll('`', "'").replaceAll('|', '\\|')}\``;
}

function cell(text: string): string {
  return text.replaceAll('\n', ' ');
}
