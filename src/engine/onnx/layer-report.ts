import type { LayerReport } from '../../protocol/model';
import type { GraphAnalysis } from './analysis';
import { type AttentionSite, entryNode, type LayerAttention } from './attention';
import type { GraphNode } from './graph';
import { isPartOf } from './operator-writer';

/** What a graph tells of a layer without being run. */
export type LayerFindings = Omit<LayerReport, 'recomputed' | 'heads' | 'kvHeads'>;

/** What the analysis found, for people. */
export function reportLayers({ layers, parts, stream }: GraphAnalysis): readonly LayerFindings[] {
  const residuals = stream.found ? stream.tensors : [];
  const operators = [...parts.operators.values()];
  return layers.map((layer, index) => ({
    ...attentionReport(layer, operators.find((operator) => isPartOf(operator, entryNode(layer).outputs[0])) ?? null),
    residualBefore: residuals[index] ?? null,
    residualAfter: residuals[index + 1] ?? null,
  }));
}

type AttentionReport = Omit<LayerFindings, 'residualBefore' | 'residualAfter'>;

function attentionReport(layer: LayerAttention, operator: GraphNode | null): AttentionReport {
  switch (layer.kind) {
    case 'decomposed':
      return partsReport(layer.site, operator);
    case 'fused':
      return { ...NOTHING, form: operatorName(layer.node), problem: `it ${layer.why}` };
    case 'unclear':
      return { ...NOTHING, form: layer.node.opType, problem: layer.why };
  }
}

const NOTHING: AttentionReport = {
  ...{ form: '', problem: null, queries: null, keys: null, values: null },
  ...{ scores: null, maskedScores: null, weights: null },
};

function partsReport(site: AttentionSite, operator: GraphNode | null): AttentionReport {
  const { scoreNode, chain, softmaxNode, contextNode, queries, keysTransposed, values, weights } = site;
  // Shapes and masks that are computed on the way are no steps of the scores.
  const steps = chain.filter(({ inputs }) => inputs.some((input) => isOnScores(site, input)));
  const form = [scoreNode, ...steps, contextNode].map(({ opType }) => opType).join(' → ');
  return {
    form: `${operator === null ? '' : `${operatorName(operator)}: `}${form}`,
    problem: null,
    ...{ queries, keys: keysTransposed, values, weights },
    scores: scoreNode.outputs[0],
    maskedScores: softmaxNode.inputs[0],
  };
}

function isOnScores({ scoreNode, chain }: AttentionSite, tensor: string): boolean {
  return [scoreNode, ...chain].some(({ outputs }) => outputs[0] === tensor);
}

function operatorName({ domain, opType }: GraphNode): string {
  return `${domain || 'ai.onnx'}.${opType}`;
}
