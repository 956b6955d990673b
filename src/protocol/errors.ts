import { ResponseError } from 'vscode-jsonrpc';

/** What went wrong, for code that reacts to it. The sentence for people stands in the error's message. */
export type FailureCode =
  | 'model-missing'
  | 'model-invalid'
  | 'tokenizer-mismatch'
  | 'tokenizer-unsupported'
  | 'graph-unsupported'
  | 'device-unavailable'
  | 'device-lost'
  | 'runtime-unavailable'
  | 'engine-stopped'
  | 'text-too-long'
  | 'text-empty'
  | 'trace-unknown'
  | 'argument-invalid'
  | 'cancelled'
  | 'internal';

/**
 * A failure that a person can act on: one sentence that says what was wrong, where, and what to do.
 * It survives both process boundaries: `toResponseError` packs it on the far side, `HeadlightError.from` unpacks it.
 */
export class HeadlightError extends Error {
  override readonly name = 'HeadlightError';

  constructor(
    readonly code: FailureCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  /** Any thrown value as a `HeadlightError`; what is not one already becomes `internal` with its own message. */
  static from(thrown: unknown): HeadlightError {
    if (thrown instanceof HeadlightError) {
      return thrown;
    }
    if (thrown instanceof ResponseError && isFailureData(thrown.data)) {
      return new HeadlightError(thrown.data.failure, thrown.message, { cause: thrown });
    }
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new HeadlightError('internal', message, { cause: thrown });
  }
}

interface FailureData {
  readonly failure: FailureCode;
}

function isFailureData(data: unknown): data is FailureData {
  return typeof data === 'object' && data !== null && typeof (data as Partial<FailureData>).failure === 'string';
}

/** JSON-RPC reserves -32768…-32000; this number is outside of it. */
const FAILURE_NUMBER = 1;

/** Packs any thrown value for the wire. */
export function toResponseError(thrown: unknown): ResponseError<FailureData> {
  const error = HeadlightError.from(thrown);
  return new ResponseError(FAILURE_NUMBER, error.message, { failure: error.code });
}
