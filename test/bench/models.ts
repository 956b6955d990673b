import { readFileSync } from 'node:fs';
import path from 'node:path';
import { projectCache, root } from '../../scripts/project.mjs';
import { GPT2_SMALL } from '../unit/engine/onnx/decoder-models';
import { gpt2ShapedModel } from './gpt2-shaped';

/** The model that comes with the extension. */
export const DEFAULT_MODEL = path.join(root, 'models', 'headlight-small');

/** A folder with the shape of GPT-2 small and random weights, half a gigabyte, written at the first call. */
export function gpt2SmallShaped(): Promise<string> {
  return gpt2ShapedModel(
    path.join(projectCache, 'bench', 'gpt2-small-shaped'),
    { ...GPT2_SMALL, past: true },
    DEFAULT_MODEL,
  );
}

/** The same as exporters write it for decoding: positions are told, and empty places masked. Written at the first call. */
export function gpt2SmallDecoding(): Promise<string> {
  return gpt2ShapedModel(
    path.join(projectCache, 'bench', 'gpt2-small-decoding'),
    { ...GPT2_SMALL, mask: 'where-add', past: true, positionIds: true },
    DEFAULT_MODEL,
  );
}

/** A sample, longer than a window of 512 tokens. */
export function longText(): string {
  return readFileSync(path.join(root, 'samples', 'long.py'), 'utf8');
}

/** Of the same with two of its twelve layers, for what computes slowly. Written at the first call. */
export function gpt2SmallOfTwoLayers(): Promise<string> {
  return gpt2ShapedModel(
    path.join(projectCache, 'bench', 'gpt2-small-two-layers'),
    { ...GPT2_SMALL, layers: 2, mask: 'where-add', past: true, positionIds: true },
    DEFAULT_MODEL,
  );
}

/** Token ids to run a model on; which ones they are does not matter to speed or memory. */
export function someIds(length: number, vocabSize: number): Uint32Array {
  return Uint32Array.from({ length }, (_, i) => (i * 7919 + 13) % vocabSize);
}
