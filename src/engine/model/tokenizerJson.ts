import { HeadlightError } from '../../protocol/errors';
import type { EncodingName } from './encoding';

export async function recogniseEncoding(file: string): Promise<EncodingName> {
  throw new HeadlightError('tokenizer-unsupported', file);
}
