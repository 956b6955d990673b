import { HeadlightError } from '../../protocol/errors';
import { DataType, dataTypeName, isFloat } from './data-type';
import type { Model, ValueInfo } from './graph';

/** What a graph wants in one of its inputs. */
export type InputRole =
  /** [1, T], the tokens' ids. */
  | 'tokens'
  /** [1, past + T], 1 for every token that may be attended to. */
  | 'attention-mask'
  /** [1, T], counted from 0. */
  | 'positions'
  /** [1, T], zeros: one kind of text. */
  | 'token-types'
  /** Keys or values of the tokens before. */
  | 'past'
  /** Whether there is something in the cache. */
  | 'use-cache'
  /** [T], as positions. */
  | 'cache-positions'
  /** For how many tokens logits are wanted; 0 means all. */
  | 'logits-to-keep';

export interface GraphInput {
  readonly role: InputRole;
  readonly info: ValueInfo;
}

/** What goes into a decoder's graph and where its logits come out. */
export interface Signature {
  readonly inputs: readonly GraphInput[];
  /** The name of the input with role `tokens`. */
  readonly tokens: string;
  /** [1, T, V]: the name of the output that holds them. */
  readonly logits: string;
}

const ROLES: readonly (readonly [InputRole, RegExp])[] = [
  ['past', /past|cache[._](k|v|key|value)|(k|v|key|value)_cache/],
  ['tokens', /^(input_?ids?|ids|tokens|input_?tokens|input)$/],
  ['attention-mask', /^attention_?mask$|^input_mask$/],
  ['positions', /^position_?ids$|^positions$/],
  ['token-types', /^(token_type|segment)_?ids$/],
  ['use-cache', /^use_cache(_branch)?$/],
  ['cache-positions', /^cache_positions?$/],
  ['logits-to-keep', /^(num_)?logits_to_keep$/],
];

/** @throws HeadlightError `graph-unsupported` where an input is of no known kind or no output can be the logits */
export function readSignature({ file, graph }: Model): Signature {
  const inputs = graph.inputs
    .filter(({ name }) => !graph.initializers.has(name))
    .map((info): GraphInput => {
      const role = ROLES.find(([, pattern]) => pattern.test(info.name.toLowerCase()))?.[0];
      if (role === undefined || !fits(role, info)) {
        throw new HeadlightError(
          'graph-unsupported',
          `${file.path} asks for an input "${info.name}" of ${describe(info)}, which Headlight cannot give; choose a ` +
            'decoder that needs only token ids, masks, positions and past keys and values.',
        );
      }
      return { role, info };
    });
  const tokens = inputs.find(({ role }) => role === 'tokens')?.info.name;
  if (tokens === undefined) {
    throw new HeadlightError(
      'graph-unsupported',
      `${file.path} has no input for token ids, but ${list(graph.inputs)}; choose the file of a text decoder.`,
    );
  }
  return { inputs, tokens, logits: findLogits({ file, graph }) };
}

function findLogits({ file, graph }: Pick<Model, 'file' | 'graph'>): string {
  const outputs = graph.outputs.filter(({ elementType }) => elementType === null || isFloat(elementType));
  const named =
    outputs.find(({ name }) => /^(lm_)?logits$/i.test(name)) ?? outputs.find(({ name }) => /logits/i.test(name));
  const others = outputs.filter(({ name }) => !/present|past|cache|hidden|attention/i.test(name));
  const logits = named ?? (others.length === 1 && others[0].dims?.length === 3 ? others[0] : undefined);
  if (logits === undefined) {
    throw new HeadlightError(
      'graph-unsupported',
      `${file.path} has no output "logits", but ${list(graph.outputs)}; export the model with its language-model head.`,
    );
  }
  return logits.name;
}

function fits(role: InputRole, { elementType, dims }: ValueInfo): boolean {
  switch (role) {
    case 'past':
      return dims !== null && (elementType === DataType.Float32 || elementType === DataType.Float16);
    case 'use-cache':
      return elementType === DataType.Bool;
    case 'tokens':
    case 'positions':
    case 'token-types':
      return isInteger(elementType) && (dims === null || dims.length === 2);
    case 'attention-mask':
      return (
        (isInteger(elementType) || elementType === DataType.Bool || elementType === DataType.Float32) &&
        (dims === null || dims.length === 2)
      );
    case 'cache-positions':
      return isInteger(elementType) && (dims === null || dims.length === 1);
    case 'logits-to-keep':
      return isInteger(elementType) && (dims === null || dims.length <= 1);
  }
}

function isInteger(elementType: number | null): boolean {
  return elementType === DataType.Int64 || elementType === DataType.Int32;
}

function describe({ elementType, dims }: ValueInfo): string {
  const type = elementType === null ? 'an unknown type' : dataTypeName(elementType);
  return dims === null ? type : `${type} [${dims.map((dim) => dim ?? '?').join(', ')}]`;
}

function list(values: readonly ValueInfo[]): string {
  const shown = values.slice(0, 6).map(({ name }) => `"${name}"`);
  return values.length === 0 ? 'none at all' : `${shown.join(', ')}${values.length > shown.length ? ' and more' : ''}`;
}
