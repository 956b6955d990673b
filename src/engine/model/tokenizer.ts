import path from 'node:path';
import { HeadlightError } from '../../protocol/errors';
import type { TextRange, TokenSplits } from '../../protocol/tokens';
import { BytePairTokenizer } from './byte-pair-tokenizer';
import { type Encoding, openEncoding } from './encoding';
import { type ModelFolder, readModelFolder } from './folder';
import { HuggingFaceTokenizer } from './hugging-face-tokenizer';
import { readTokenizerSettings, startTokenOf } from './start-token';
import { readTokenizerJson, recogniseEncoding } from './tokenizer-json';

/** Turns text into the ids that a model reads, byte-exactly, and ids into bytes. */
export interface Tokenizer {
  /** The model's vocabulary size: ids are 0…vocabSize − 1. Some of them may stand for nothing (padding). */
  readonly vocabSize: number;
  /** The encoding's name, e.g. `r50k_base`, or the kind of a tokenizer without one: `BPE` or `Unigram`. */
  readonly encoding: string;
  /** The id that is put before a text, as the model was trained to read it; null where none is. */
  readonly startToken: number | null;

  /**
   * All tokens of a text.
   *
   * @param readsSpecial whether the name of a special token, a literal `<|endoftext|>`, is that token; otherwise it is text
   * like any other, and no special token is ever produced
   */
  split(text: string, readsSpecial?: boolean): TokenSplits;

  /**
   * The tokens that overlap a range, with the ids and offsets they have in `split(text)`, reading only the text from
   * the nearest certain boundary before the range to its end. Offsets are those of the whole text.
   */
  splitRange(text: string, wanted: TextRange, readsSpecial?: boolean): TokenSplits;

  /**
   * A token's bytes; those of its name for a special token, none for an id that stands for nothing.
   *
   * @throws HeadlightError `argument-invalid` for an id outside the vocabulary
   */
  bytesOf(id: number): Uint8Array;

  /** A token's bytes as text; U+FFFD stands for bytes that are not a whole character. Throws as `bytesOf` does. */
  textOf(id: number): string;

  /** The name of a special token, such as `<|endoftext|>`; null for an ordinary one. Throws as `bytesOf` does. */
  specialTokenOf(id: number): string | null;
}

/**
 * Opens a model folder's tokenizer.
 *
 * @throws HeadlightError `tokenizer-mismatch` where text could become an id that the model does not have,
 * `tokenizer-unsupported` for one that Headlight cannot read, `model-invalid` for a damaged file
 */
export async function loadTokenizer(folder: ModelFolder): Promise<Tokenizer> {
  const source = folder.tokenizerSource;
  const vocabSize = folder.config?.vocabSize ?? null;
  const bosTokenId = folder.config?.bosTokenId ?? null;
  const settings = await readTokenizerSettings(folder.directory);
  if (source.kind === 'encoding') {
    const encoding = await openEncoding(source.encoding);
    const startToken = startTokenOf({ settings, special: encoding.specialTokens, bosTokenId });
    return byBytePairs(folder, encoding, startToken);
  }
  const json = await readTokenizerJson(source.file);
  const special = new Map((json.added_tokens ?? []).map(({ id, content }) => [id, content]));
  const startToken = startTokenOf({ settings, special, bosTokenId, postProcessor: json.post_processor });
  const encoding = await recogniseEncoding(json);
  if (encoding !== null) {
    return byBytePairs(folder, encoding, startToken);
  }
  const tokenizer = new HuggingFaceTokenizer(json, vocabSize, startToken, source.file);
  refuseLargerThan(folder, path.basename(source.file), tokenizer.largestId);
  return tokenizer;
}

function byBytePairs(folder: ModelFolder, encoding: Encoding, startToken: number | null): Tokenizer {
  refuseLargerThan(folder, encoding.name, encoding.vocabulary.size - 1);
  return new BytePairTokenizer(encoding, folder.config?.vocabSize ?? encoding.vocabulary.size, startToken);
}

function refuseLargerThan({ directory, config }: ModelFolder, name: string, largestId: number): void {
  if (config !== null && largestId >= config.vocabSize) {
    throw new HeadlightError(
      'tokenizer-mismatch',
      `The tokenizer ${name} of ${directory} has token ids up to ${largestId}, but the model's vocabulary ends at ${config.vocabSize - 1} (vocab_size in config.json): give the folder the tokenizer that the model was trained with.`,
    );
  }
}

const byDirectory = new Map<string, Promise<Tokenizer>>();

/** The tokenizer of a model folder, opened once; a failure is forgotten, so that a mended folder works. */
export function tokenizerOf(directory: string): Promise<Tokenizer> {
  let tokenizer = byDirectory.get(directory);
  if (tokenizer === undefined) {
    tokenizer = readModelFolder(directory).then(loadTokenizer);
    byDirectory.set(directory, tokenizer);
    tokenizer.catch(() => byDirectory.delete(directory));
  }
  return tokenizer;
}
