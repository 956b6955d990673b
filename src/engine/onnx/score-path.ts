import type { AttentionSite } from './attention';
import type { GraphNode } from './graph';

/** What says nothing about the scores although it reads them. */
const NO_FLOW = new Set(['Shape', 'Size', 'ConstantOfShape', 'IsNaN']);

/**
 * The scores on their way from the product of queries and keys into the softmax, as names of tensors [1, H, T, T]: the
 * product first, the softmax's input last.
 */
export function scorePath({ scoreNode, chain, softmaxNode }: AttentionSite): readonly string[] {
  const producers = new Map<string, GraphNode>();
  const flow = new Set(scoreNode.outputs);
  for (const node of chain) {
    if (!NO_FLOW.has(node.opType) && node.inputs.some((input) => flow.has(input))) {
      flow.add(node.outputs[0]);
      producers.set(node.outputs[0], node);
    }
  }
  const path: string[] = [];
  let tensor: string | undefined = softmaxNode.inputs[0];
  while (tensor !== undefined) {
    path.push(tensor);
    tensor = producers.get(tensor)?.inputs.find((input) => flow.has(input));
  }
  return path.reverse();
}
