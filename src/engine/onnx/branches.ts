import { mayAttend } from './attention';
import { type NodeContent, nodeAgain } from './build';
import { constantTensor, type Graph, type GraphNode, type Model, readModel, subgraphs } from './graph';
import { instrument } from './instrument';
import { ModelFile } from './model-file';
import type { StoredTensor } from './tensor';

/**
 * The two ways in which an If can go: exporters of merged decoders keep the graph that reads a text from its start in one
 * branch and the graph that goes on behind a cache in the other, with weights that both share.
 */
export const BRANCHES = ['then_branch', 'else_branch'] as const;
export type Branch = (typeof BRANCHES)[number];

/** The nodes in whose branches the model's layers stand; none in nearly all models. */
export function branchingNodes({ graph }: Pick<Model, 'graph'>): readonly GraphNode[] {
  return graph.nodes.filter((node) => node.opType === 'If' && subgraphs(node).some(hasAttention));
}

function hasAttention({ nodes }: Graph): boolean {
  return nodes.some((node) => mayAttend(node) || subgraphs(node).some(hasAttention));
}

/**
 * The model as if those nodes always went one way: the branch's nodes stand in their place.
 *
 * @throws HeadlightError `model-invalid` where one of them has no such branch
 */
export function takeBranch(model: Model, branch: Branch): Model {
  const replace = new Map<GraphNode, readonly NodeContent[]>();
  const weights = new Map<string, StoredTensor>();
  for (const node of branchingNodes(model)) {
    const graph = node.attributes.get(branch)?.value;
    if (
      typeof graph !== 'object' ||
      graph === null ||
      !('nodes' in graph) ||
      graph.outputs.length < node.outputs.length
    ) {
      throw model.file.invalid(`has a node If without a whole ${branch}`);
    }
    replace.set(node, unfolded(model, node, graph, weights));
  }
  const { bytes } = instrument(model, { expose: [], replace, weights });
  return readModel(ModelFile.inMemory(bytes, model.file));
}

/** The nodes of a branch, giving what the If gave under its names; their weights are put to the others. */
function unfolded(
  { file }: Model,
  node: GraphNode,
  { nodes, initializers, outputs }: Graph,
  weights: Map<string, StoredTensor>,
): readonly NodeContent[] {
  const computed = new Set(nodes.flatMap((inner) => inner.outputs));
  const names = new Map<string, string>();
  const copies: NodeContent[] = [];
  for (const [index, given] of node.outputs.entries()) {
    const { name } = outputs[index];
    if (given !== '' && computed.has(name) && !names.has(name)) {
      names.set(name, given);
    } else if (given !== '') {
      copies.push({ opType: 'Identity', inputs: [names.get(name) ?? name], outputs: [given] });
    }
  }
  const renamed = (name: string) => names.get(name) ?? name;
  for (const [name, tensor] of initializers) {
    weights.set(name, tensor);
  }
  const written: NodeContent[] = [];
  for (const inner of nodes) {
    const constant = constantTensor(inner);
    if (constant === null) {
      const [inputs, outputs] = [inner.inputs.map(renamed), inner.outputs.map(renamed)];
      written.push(nodeAgain(file, inner, { name: inner.name, inputs, outputs }));
    } else {
      weights.set(renamed(inner.outputs[0]), constant);
    }
  }
  return [...written, ...copies];
}
