import type { GraphContent, NodeContent, TensorContent } from '../../../../src/engine/onnx/build';
import { DataType } from '../../../../src/engine/onnx/data-type';
import { buildDecoder, type DecoderShape } from './decoder-models';
import { GraphBuilder } from './graph-builder';

/** How a merged decoder's branches differ. */
export interface Merging {
  /** The branch that goes on behind a cache is another model. */
  readonly differs?: boolean;
  /** The branch that goes on behind a cache was exported for one token at a time. */
  readonly oneByOne?: boolean;
  /** Names of what the branches give are their own. */
  readonly ownNames?: boolean;
  /** Weights stand inside of the branches. */
  readonly weightsInside?: boolean;
}

/**
 * A decoder as Optimum once merged them: one If, whose `then_branch` goes on behind a cache and whose `else_branch` starts a
 * text, and an input that says which.
 */
export function buildMergedDecoder(
  shape: DecoderShape,
  { differs, oneByOne, ownNames, weightsInside }: Merging = {},
): GraphBuilder {
  const { builder: continuing } = buildDecoder({ ...shape, past: true, seed: differs ? 9 : 1 });
  if (oneByOne) {
    const single = continuing.op('Reshape', ['input_ids', continuing.int64([1, 1])]);
    const node = continuing.nodes.pop()!;
    for (const [index, other] of continuing.nodes.entries()) {
      const inputs = other.inputs.map((name) => (name === 'input_ids' ? single : name));
      continuing.nodes[index] = { ...other, inputs };
    }
    continuing.nodes.unshift(node);
  }
  const { builder: starting } = buildDecoder({ ...shape, past: true, seed: 1 });
  const pasts = starting.inputs.filter(({ name }) => name.startsWith('past_key_values'));
  const merged = new GraphBuilder();
  merged.inputs.push(...continuing.inputs);
  const condition = merged.input('use_cache_branch', DataType.Bool, [1]);
  const shared = !differs && !oneByOne && !weightsInside;
  const weights = (source: GraphBuilder, prefix: string): TensorContent[] =>
    source.initializers.map((tensor) => ({ ...tensor, name: shared ? tensor.name : prefix + tensor.name }));
  const nothing: TensorContent[] = pasts.map(({ name }) => ({
    ...{ name: `first/${name}`, dataType: DataType.Float32, data: new Uint8Array() },
    dims: [1, shape.kvHeads ?? shape.heads, 0, shape.headDim],
  }));
  const branch = (source: GraphBuilder, prefix: string, renamed: readonly TensorContent[]): GraphContent => {
    const kept = new Set(shared ? source.initializers.map(({ name }) => name) : []);
    const inputs = new Set(
      source.inputs
        .map(({ name }) => name)
        .filter((name) => !renamed.some((tensor) => tensor.name.endsWith(`/${name}`))),
    );
    const outputs = new Set(source.outputs.map(({ name }) => name));
    const named = (name: string) =>
      name === '' || inputs.has(name) || kept.has(name) ? name : outputs.has(name) && !ownNames ? name : prefix + name;
    const nodes = source.nodes.map(
      (node): NodeContent => ({ ...node, inputs: node.inputs.map(named), outputs: node.outputs.map(named) }),
    );
    const own = [...weights(source, prefix), ...renamed];
    if (!weightsInside) {
      const known = new Set(merged.initializers.map(({ name }) => name));
      merged.initializers.push(...own.filter(({ name }) => !known.has(name)));
    }
    return {
      nodes,
      inputs: [],
      outputs: source.outputs.map((output) => ({ ...output, name: named(output.name) })),
      initializers: weightsInside ? own : [],
    };
  };
  const branches = {
    then_branch: { graph: branch(continuing, 'behind/', []) },
    else_branch: { graph: branch(starting, 'first/', nothing) },
  };
  const outputs = merged.ops('If', [condition], continuing.outputs.length, branches);
  for (const [index, output] of continuing.outputs.entries()) {
    merged.rename(outputs[index], output.name);
    merged.outputs.push(output);
  }
  return merged;
}
