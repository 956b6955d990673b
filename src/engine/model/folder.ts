import { stat } from 'node:fs/promises';
import path from 'node:path';
import { HeadlightError } from '../../protocol/errors';
import { type DecoderConfig, parseDecoderConfig } from './config';
import { ENCODING_NAMES, type EncodingName, encodingNamed } from './encoding';
import { isAbsent, readJson, unreadable } from './json-file';

/** A model folder in the layout of Hugging Face exports, checked as far as that goes without opening the graph. */
export interface ModelFolder {
  /** Absolute path. */
  readonly directory: string;
  /** For people: the last part of the configuration's `_name_or_path` where that is a plain name, else the folder's. */
  readonly name: string;
  readonly config: DecoderConfig;
  /** Absolute path of the ONNX file. */
  readonly graphFile: string;
  readonly tokenizerSource: TokenizerSource;
}

/**
 * Where the tokenizer comes from. `tokenizer_config.json` may name one of gpt-tokenizer's encodings in the field
 * `tokenizer_encoding`, e.g. `{"tokenizer_encoding": "r50k_base"}`; it is then taken at its word, and `tokenizer.json`,
 * which is megabytes and may stand there for other programs, is not read.
 */
export type TokenizerSource =
  | { readonly kind: 'encoding'; readonly encoding: EncodingName }
  | { readonly kind: 'file'; readonly file: string };

const GRAPH_FILES = ['model.onnx', path.join('onnx', 'model.onnx')];
const LAYOUT = 'a model folder holds config.json, tokenizer.json and model.onnx or onnx/model.onnx';

/**
 * Reads what a model folder says of its model.
 *
 * @param directory relative paths are taken from the working directory
 * @throws HeadlightError `model-missing` for a folder or file that is not there, `model-invalid` for one that is wrong
 */
export async function readModelFolder(directory: string): Promise<ModelFolder> {
  const folder = path.resolve(directory);
  const kind = await kindOf(folder);
  if (kind !== 'directory') {
    const what = kind === 'absent' ? 'There is no model folder at' : 'A model is a folder, but a file stands at';
    throw new HeadlightError('model-missing', `${what} ${folder}: choose another one (${LAYOUT}).`);
  }
  const configFile = path.join(folder, 'config.json');
  const json = await readJson(configFile);
  if (json === undefined) {
    throw missing(folder, 'no config.json');
  }
  const config = parseDecoderConfig(json, configFile);
  return {
    directory: folder,
    name: nameIn(json) ?? path.basename(folder),
    config,
    graphFile: await findGraph(folder),
    tokenizerSource: await findTokenizer(folder),
  };
}

async function findGraph(folder: string): Promise<string> {
  for (const relative of GRAPH_FILES) {
    const file = path.join(folder, relative);
    if ((await kindOf(file)) === 'file') {
      return file;
    }
  }
  throw missing(folder, 'neither model.onnx nor onnx/model.onnx');
}

async function findTokenizer(folder: string): Promise<TokenizerSource> {
  const configFile = path.join(folder, 'tokenizer_config.json');
  const named = fieldOf(await readJson(configFile), 'tokenizer_encoding');
  if (named !== undefined) {
    const encoding = encodingNamed(named);
    if (encoding === null) {
      throw new HeadlightError(
        'tokenizer-unsupported',
        `${configFile} names the encoding ${JSON.stringify(named)}, which is none of ${ENCODING_NAMES.join(', ')}: name one of these or remove the field.`,
      );
    }
    return { kind: 'encoding', encoding };
  }
  const file = path.join(folder, 'tokenizer.json');
  if ((await kindOf(file)) !== 'file') {
    throw missing(folder, 'neither a tokenizer.json nor a tokenizer_config.json with "tokenizer_encoding"');
  }
  return { kind: 'file', file };
}

/** `gpt2` from `gpt2` or `openai-community/gpt2`; nothing from a path on the machine that exported the model. */
function nameIn(config: unknown): string | undefined {
  const given = fieldOf(config, '_name_or_path');
  return typeof given === 'string' ? /^(?:\w[\w.-]*\/)?(\w[\w.-]*)$/.exec(given)?.[1] : undefined;
}

function fieldOf(json: unknown, name: string): unknown {
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>)[name] : undefined;
}

async function kindOf(file: string): Promise<'file' | 'directory' | 'absent'> {
  try {
    return (await stat(file)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if (isAbsent(error)) {
      return 'absent';
    }
    throw unreadable(file, error);
  }
}

function missing(folder: string, what: string): HeadlightError {
  return new HeadlightError('model-missing', `${folder} has ${what}: choose another folder (${LAYOUT}).`);
}
