import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { HeadlightError } from '../../protocol/errors';
import { type DecoderConfig, parseDecoderConfig, parseGenerationConfig } from './config';
import { ENCODING_NAMES, type EncodingName, encodingNamed } from './encoding';
import { isAbsent, readJson, unreadable } from './json-file';

/** A model folder in the layout of Hugging Face exports, checked as far as that goes without opening the graph. */
export interface ModelFolder {
  /** Absolute path. */
  readonly directory: string;
  /** For people: the last part of the configuration's `_name_or_path` where that is a plain name, else the folder's. */
  readonly name: string;
  /** Null where no file says it: then the graph is asked. */
  readonly config: DecoderConfig | null;
  /** What other files of the folder say, for want of a configuration. */
  readonly hints: ConfigHints;
  /** Absolute path of the ONNX file: the one that was asked for, or the one that the folder stands for. */
  readonly graphFile: string;
  /** Absolute paths of all of the folder's ONNX files, `graphFile` first. */
  readonly graphFiles: readonly string[];
  readonly tokenizerSource: TokenizerSource;
}

/** What stands beside a configuration, each null where nothing says it. */
export interface ConfigHints {
  /** Longest text, in tokens, by the tokenizer's settings. */
  readonly contextLength: number | null;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
}

/**
 * Where the tokenizer comes from. `tokenizer_config.json` may name one of gpt-tokenizer's encodings in the field
 * `tokenizer_encoding`, e.g. `{"tokenizer_encoding": "r50k_base"}`; it is then taken at its word, and `tokenizer.json`,
 * which is megabytes and may stand there for other programs, is not read.
 */
export type TokenizerSource =
  | { readonly kind: 'encoding'; readonly encoding: EncodingName }
  | { readonly kind: 'file'; readonly file: string };

/** Where exports have their graphs. */
const GRAPH_FOLDERS = ['', 'onnx'];
/** Which graph a folder stands for that has several: whole precision first, then what is nearest to it; and what goes on
 * behind a cache before what only starts a text. */
const PREFERRED = [
  'model',
  'decoder_model_merged',
  'decoder_model',
  'model_fp16',
  'model_int8',
  'model_uint8',
  'model_quantized',
  'model_q4',
];
/** Graphs of other parts of a model, which give no logits. */
const OTHER_PARTS = /^(encoder_|embed_|vision_|decoder_with_past)/;
const LAYOUT = 'a model folder holds config.json, tokenizer.json and model.onnx or onnx/model.onnx';

/**
 * Reads what a model folder says of its model.
 *
 * @param directory of the model, or the path of one of the graphs in it; relative paths are taken from the working directory
 * @throws HeadlightError `model-missing` for a folder or file that is not there, `model-invalid` for one that is wrong
 */
export async function readModelFolder(directory: string): Promise<ModelFolder> {
  const given = path.resolve(directory);
  const asked = given.endsWith('.onnx') && (await kindOf(given)) === 'file' ? given : null;
  const folder = asked === null ? given : await folderOfGraph(asked);
  const kind = await kindOf(folder);
  if (kind !== 'directory') {
    const what = kind === 'absent' ? 'There is no model folder at' : 'A model is a folder, but a file stands at';
    throw new HeadlightError('model-missing', `${what} ${folder}: choose another one (${LAYOUT}).`);
  }
  const { config, json } = await readConfig(folder);
  const graphFiles = await findGraphs(folder, asked);
  return {
    directory: folder,
    name: nameIn(json) ?? path.basename(folder),
    config,
    hints: await readHints(folder),
    graphFile: graphFiles[0],
    graphFiles,
    tokenizerSource: await findTokenizer(folder),
  };
}

/** From `config.json`, or from what onnxruntime-genai writes instead. */
async function readConfig(folder: string): Promise<{ readonly config: DecoderConfig | null; readonly json: unknown }> {
  const file = path.join(folder, 'config.json');
  const json = await readJson(file);
  if (json !== undefined) {
    // Of two halves: which one a graph is, the graph says, and that it is no decoder of one text.
    const isHalf = fieldOf(json, 'is_encoder_decoder') === true;
    return { config: isHalf ? null : parseDecoderConfig(json, file), json };
  }
  const other = path.join(folder, 'genai_config.json');
  const generation = await readJson(other);
  return { config: generation === undefined ? null : parseGenerationConfig(generation, other), json: generation };
}

/** Longer than any model: what tokenizers say that know no limit. */
const NO_LIMIT = 1e9;

async function readHints(folder: string): Promise<ConfigHints> {
  const [tokenizer, generation] = await Promise.all(
    ['tokenizer_config.json', 'generation_config.json'].map((name) => readJson(path.join(folder, name))),
  );
  const length = fieldOf(tokenizer, 'model_max_length');
  const id = (name: string) => {
    const value = fieldOf(generation, name);
    const first: unknown = Array.isArray(value) ? value[0] : value;
    return Number.isInteger(first) && (first as number) >= 0 ? (first as number) : null;
  };
  return {
    contextLength:
      Number.isInteger(length) && (length as number) > 0 && (length as number) < NO_LIMIT ? (length as number) : null,
    bosTokenId: id('bos_token_id'),
    eosTokenId: id('eos_token_id'),
  };
}

/** The folder that a graph belongs to: the one around it, or where that has no configuration the one above. */
async function folderOfGraph(graphFile: string): Promise<string> {
  const folder = path.dirname(graphFile);
  const isBeside = (await kindOf(path.join(folder, 'config.json'))) === 'file';
  return isBeside || path.basename(folder) !== 'onnx' ? folder : path.dirname(folder);
}

/** At least one. */
async function findGraphs(folder: string, asked: string | null): Promise<readonly string[]> {
  const found: { readonly file: string; readonly rank: number }[] = [];
  for (const inner of GRAPH_FOLDERS) {
    const names =
      (await kindOf(path.join(folder, inner))) === 'directory' ? await readdir(path.join(folder, inner)) : [];
    for (const name of names.filter((one) => one.endsWith('.onnx') && !OTHER_PARTS.test(one)).sort()) {
      const known = PREFERRED.indexOf(path.basename(name, '.onnx'));
      found.push({ file: path.join(folder, inner, name), rank: known < 0 ? PREFERRED.length : known });
    }
  }
  const files = found.sort((a, b) => a.rank - b.rank).map(({ file }) => file);
  const graphs = asked === null ? files : [asked, ...files.filter((file) => file !== asked)];
  if (graphs.length === 0) {
    throw missing(folder, 'neither model.onnx nor onnx/model.onnx');
  }
  return graphs;
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
