import { HeadlightError } from '../../protocol/errors';

/** A token's own bytes as text; U+FFFD stands for bytes that are not a whole character. */
export function textOfBytes(bytes: Uint8Array): string {
  // ignoreBOM: a token may be the bytes of U+FEFF, which are text here.
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** @throws HeadlightError `argument-invalid` for an id that a vocabulary of that size does not have */
export function refuseUnknownId(id: number, vocabSize: number): void {
  if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
    throw new HeadlightError(
      'argument-invalid',
      `There is no token ${id} in the vocabulary: ids are whole numbers from 0 to ${vocabSize - 1}.`,
    );
  }
}
