import {
  type AttentionSite,
  describeMissingAttention,
  entryNode,
  findAttention,
  type LayerAttention,
} from './attention';
import type { Model } from './graph';
import { refuseOtherKinds, refuseWhatCrashes } from './graph-kind';
import { type PartsModel, writeInParts } from './parts-model';
import { findResidualStream, type ResidualStream } from './residual-stream';
import { readSignature, type Signature } from './signature';
import { Topology } from './topology';

/** What a decoder's graph turned out to be. */
export interface GraphAnalysis {
  /** Of the graph as it was exported. */
  readonly topology: Topology;
  /** What the layers, their attention and the stream are found in. */
  readonly parts: PartsModel;
  readonly signature: Signature;
  /** In the order of the layers. */
  readonly layers: readonly LayerAttention[];
  /** Every layer's attention, or why there is not one for each. */
  readonly attention: readonly AttentionSite[] | { readonly unavailable: string };
  readonly stream: ResidualStream;
}

/**
 * Looks for what Headlight shows in a graph; nothing is computed.
 *
 * @param expectedLayers how many layers the model's configuration says there are
 * @throws HeadlightError `model-invalid` for a graph that contradicts itself, `graph-unsupported` where its inputs cannot be
 * given or no output can be the logits
 */
export function analyzeGraph(model: Model, expectedLayers: number): GraphAnalysis {
  const topology = new Topology(model);
  refuseOtherKinds(topology);
  refuseWhatCrashes(topology);
  const signature = readSignature(model);
  const parts = writeInParts(topology);
  const layers = findAttention(parts.topology);
  const unavailable = describeMissingAttention(topology, layers, expectedLayers);
  const sites = layers.flatMap((layer) => ('site' in layer ? [layer.site] : []));
  const entries = layers.length === expectedLayers ? layers.map(entryNode) : [];
  return {
    topology,
    parts,
    signature,
    layers,
    attention: unavailable === null ? sites : { unavailable },
    stream: findResidualStream(parts.topology, entries, signature.tokens, signature.logits),
  };
}
