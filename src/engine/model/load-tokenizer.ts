import path from 'node:path';
import { HeadlightError } from '../../protocol/errors';
import { BytePairTokenizer } from './byte-pair-tokenizer';
import { type Encoding, openEncoding } from './encoding';
import { type ModelFolder, readModelFolder } from './folder';
import { HuggingFaceTokenizer } from './hugging-face-tokenizer';
import { readTokenizerSettings, startTokenOf } from './start-token';
import type { Tokenizer } from './tokenizer';
import { readTokenizerJson, recogniseEncoding } from './tokenizer-json';

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
