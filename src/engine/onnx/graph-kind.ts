import { HeadlightError } from '../../protocol/errors';
import { findAttention } from './attention';
import { Flow } from './flow';
import { label, type Topology } from './topology';

const ENCODER_INPUT = /^encoder_(hidden_states?|outputs?|attention_mask)$/i;
const TOKENS_INPUT = /input_?ids?$/i;
const HIDDEN_OUTPUT = /^(last_hidden_state|pooler_output|sentence_embedding)$/i;

/**
 * Recognises graphs that are no decoders of one text: the two halves of an encoder–decoder, and encoders.
 *
 * @throws HeadlightError `graph-unsupported` that names what the graph is
 */
export function refuseOtherKinds(topology: Topology): void {
  const { file, graph } = topology.model;
  const [encoded] = graph.inputs
    .map(({ name }) => name)
    .filter((name) => ENCODER_INPUT.test(name))
    .sort((a, b) => Number(/mask/i.test(a)) - Number(/mask/i.test(b)));
  if (encoded !== undefined) {
    const { cross, self } = countAttention(topology);
    throw new HeadlightError(
      'graph-unsupported',
      `${file.path} is the decoder of an encoder–decoder model, with ${cross} cross-attentions to what an encoder made of ` +
        `another text ("${encoded}") beside ${self} self-attentions; choose a decoder that reads one text.`,
    );
  }
  const hidden = graph.outputs.find(({ name }) => HIDDEN_OUTPUT.test(name))?.name;
  if (hidden !== undefined && !graph.outputs.some(({ name }) => /logits/i.test(name))) {
    const { self } = countAttention(topology);
    throw new HeadlightError(
      'graph-unsupported',
      `${file.path} gives "${hidden}" and no logits: it is an encoder of ${self} self-attentions, or a decoder that was ` +
        'exported without its language-model head; choose a decoder with its head.',
    );
  }
}

/**
 * @throws HeadlightError `graph-unsupported` for an operator on which ONNX Runtime 1.30 ends its process instead of
 * throwing: com.microsoft.Attention without its bias, on the processor
 */
export function refuseWhatCrashes({ model: { file, graph } }: Topology): void {
  const fatal = graph.nodes.find(
    ({ domain, opType, inputs }) => domain === 'com.microsoft' && opType === 'Attention' && !inputs[2],
  );
  if (fatal !== undefined) {
    throw new HeadlightError(
      'graph-unsupported',
      `${file.path} has ${label(fatal)} without a bias, on which ONNX Runtime crashes; export the model without fused attention.`,
    );
  }
}

/** Cross-attention is what takes its keys from something else than the tokens; how many of those there are says no number. */
function countAttention(topology: Topology): { readonly cross: number; readonly self: number } {
  const layers = findAttention(topology);
  const tokens = topology.model.graph.inputs.map(({ name }) => name).filter((name) => TOKENS_INPUT.test(name));
  const flow = new Flow(topology, tokens);
  const cross = layers.filter((layer) => 'site' in layer && !flow.has(layer.site.keysTransposed)).length;
  return { cross, self: layers.length - cross };
}
