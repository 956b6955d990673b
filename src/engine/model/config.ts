import { HeadlightError } from '../../protocol/errors';
import { isObject } from './json-file';

/** A decoder's shape, as the `config.json` of a Hugging Face export gives it under whichever names its architecture uses. */
export interface DecoderConfig {
  /** `model_type`, e.g. `gpt2`. */
  readonly architecture: string;
  readonly layers: number;
  /** Query heads of a layer. */
  readonly heads: number;
  /** Key/value heads of a layer; divides `heads`, and equals it without grouped-query attention. */
  readonly kvHeads: number;
  /** Width of one head. Not always `hiddenSize / heads`. */
  readonly headDim: number;
  readonly hiddenSize: number;
  /** Number of token ids, 0…vocabSize − 1; may be padded beyond what the tokenizer uses. */
  readonly vocabSize: number;
  /** Longest sequence, in tokens. */
  readonly contextLength: number;
  /** Null where the configuration names none, or one that the vocabulary does not have. */
  readonly bosTokenId: number | null;
  /** As `bosTokenId`; the first where the configuration lists several. */
  readonly eosTokenId: number | null;
}

const FIELD_NAMES = {
  layers: ['num_hidden_layers', 'n_layer', 'num_layers', 'n_layers'],
  heads: ['num_attention_heads', 'n_head', 'num_heads', 'n_heads'],
  kvHeads: ['num_key_value_heads', 'num_kv_heads', 'n_head_kv'],
  headDim: ['head_dim'],
  hiddenSize: ['hidden_size', 'n_embd', 'n_embed', 'd_model'],
  vocabSize: ['vocab_size'],
  contextLength: [
    'max_position_embeddings',
    'n_positions',
    'n_ctx',
    'max_seq_len',
    'max_sequence_length',
    'seq_length',
  ],
} as const;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a parsed `config.json`.
 *
 * @param json the file's content after JSON.parse
 * @param file its path, for the sentence of a failure
 * @throws HeadlightError `model-invalid` where a field is absent or impossible
 */
export function parseDecoderConfig(json: unknown, file: string): DecoderConfig {
  const fields = decoderFields(json, file);
  const architecture = fields.model_type;
  if (typeof architecture !== 'string' || architecture === '') {
    throw invalid(file, 'has no "model_type", which names the architecture, such as "gpt2"');
  }
  const layers = required(fields, 'layers', file);
  const heads = required(fields, 'heads', file);
  const hiddenSize = required(fields, 'hiddenSize', file);
  const vocabSize = required(fields, 'vocabSize', file);
  const kvHeads = keyValueHeads(fields, heads, file);
  return {
    architecture,
    layers,
    heads,
    kvHeads,
    headDim: optional(fields, 'headDim', file) ?? evenShare(hiddenSize, heads, fields, file),
    hiddenSize,
    vocabSize,
    contextLength: contextLength(fields, architecture, file),
    bosTokenId: tokenId(fields.bos_token_id, vocabSize),
    eosTokenId: tokenId(fields.eos_token_id, vocabSize),
  };
}

/**
 * Reads a parsed `genai_config.json`, which onnxruntime-genai's model builder writes.
 *
 * @throws HeadlightError as `parseDecoderConfig`
 */
export function parseGenerationConfig(json: unknown, file: string): DecoderConfig {
  const model = isObject(json) && isObject(json.model) ? json.model : null;
  const decoder = model !== null && isObject(model.decoder) ? model.decoder : null;
  if (model === null || decoder === null) {
    throw invalid(file, 'has no "model" with a "decoder" in it');
  }
  const { type, context_length, head_size } = { ...model, ...decoder };
  return parseDecoderConfig(
    { ...model, ...decoder, model_type: type, max_position_embeddings: context_length, head_dim: head_size },
    file,
  );
}

/** Architectures whose positions have no table: their configurations may leave the length out, and this is what they were trained with. */
const TRAINED_LENGTH: Readonly<Record<string, number>> = { bloom: 2048, falcon: 2048 };

function contextLength(fields: Fields, architecture: string, file: string): number {
  return (
    optional(fields, 'contextLength', file) ?? TRAINED_LENGTH[architecture] ?? required(fields, 'contextLength', file)
  );
}

/** The decoder's fields: multimodal configurations keep them in `text_config`, with some left outside. */
function decoderFields(json: unknown, file: string): Fields {
  if (!isObject(json)) {
    throw invalid(file, 'is not a JSON object');
  }
  if (!isObject(json.text_config)) {
    return json;
  }
  return { ...json, ...json.text_config, model_type: json.model_type ?? json.text_config.model_type };
}

function keyValueHeads(fields: Fields, heads: number, file: string): number {
  // Falcon writes num_kv_heads beside multi_query and reads it only in its newer form.
  if (fields.multi_query === true && fields.new_decoder_architecture !== true) {
    return 1;
  }
  const kvHeads = optional(fields, 'kvHeads', file) ?? heads;
  if (heads % kvHeads !== 0) {
    const name = presentName(fields, 'kvHeads');
    throw invalid(file, `has "${name}" = ${kvHeads}, which does not divide its ${heads} attention heads`);
  }
  return kvHeads;
}

function evenShare(hiddenSize: number, heads: number, fields: Fields, file: string): number {
  if (hiddenSize % heads !== 0) {
    const name = presentName(fields, 'hiddenSize');
    throw invalid(
      file,
      `has "${name}" = ${hiddenSize}, which its ${heads} attention heads do not divide, and no "head_dim"`,
    );
  }
  return hiddenSize / heads;
}

function required(fields: Fields, key: keyof typeof FIELD_NAMES, file: string): number {
  const value = optional(fields, key, file);
  if (value === null) {
    const [first, ...others] = FIELD_NAMES[key].map((name) => `"${name}"`);
    throw invalid(file, `has no ${first}${others.length > 0 ? ` (nor ${others.join(', ')})` : ''}`);
  }
  return value;
}

function optional(fields: Fields, key: keyof typeof FIELD_NAMES, file: string): number | null {
  const name = presentName(fields, key);
  if (name === undefined) {
    return null;
  }
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 0x7fffffff) {
    throw invalid(file, `has "${name}" = ${JSON.stringify(value)}, where a whole number from 1 is needed`);
  }
  return value;
}

function presentName(fields: Fields, key: keyof typeof FIELD_NAMES): string | undefined {
  return FIELD_NAMES[key].find((name) => fields[name] !== undefined && fields[name] !== null);
}

/** An id that the vocabulary lacks is a default that the exporter wrote for another vocabulary: no use, no harm. */
function tokenId(value: unknown, vocabSize: number): number | null {
  const id: unknown = Array.isArray(value) ? value[0] : value;
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabSize ? id : null;
}

function invalid(file: string, what: string): HeadlightError {
  return new HeadlightError('model-invalid', `${file} ${what}; export the model again or mend this file.`);
}
