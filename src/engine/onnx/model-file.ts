import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { HeadlightError } from '../../protocol/errors';

/** Bytes of a file, from `offset` on. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Metadata is read through a window of this size; weights are jumped over. */
const WINDOW_BYTES = 16 * 1024;
/** Nothing that is not a weight is larger than this. */
const LARGEST_READ = 256 * 1024 * 1024;

/**
 * What one file may make the reader keep. Real graphs stay far below (an 80-layer decoder has some 200,000 records);
 * a damaged or hostile file reaches them before it can cost seconds or memory.
 */
const RECORD_LIMIT = 1_000_000;
const TEXT_LIMIT = 64 * 1024 * 1024;

/** A `.onnx` file opened for reading by ranges, so that its weights need not be read at all; or one written in memory. */
export class ModelFile {
  private readonly window = Buffer.allocUnsafe(WINDOW_BYTES);
  private windowStart = 0;
  private windowEnd = 0;
  private recordsLeft = RECORD_LIMIT;
  private textLeft = TEXT_LIMIT;

  private constructor(
    /** The path it was opened by; for people. */
    readonly path: string,
    /** Where the bytes are, symbolic links followed: a download cache keeps models behind links. */
    readonly realPath: string,
    readonly size: number,
    private readonly source: number | Buffer,
  ) {}

  /** What was written in the place of another file: paths, and with them the files of weights, are those of the other. */
  static inMemory(bytes: Uint8Array, { path, realPath }: Pick<ModelFile, 'path' | 'realPath'>): ModelFile {
    return new ModelFile(path, realPath, bytes.length, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  /** @throws HeadlightError `model-missing` where there is no such file, or none that can be read */
  static open(file: string): ModelFile {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(file, 'r');
      const status = fstatSync(descriptor);
      if (status.isFile()) {
        return new ModelFile(file, realpathSync(file), status.size, descriptor);
      }
    } catch (cause) {
      closeIfOpen(descriptor);
      const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : `cannot be read (${cause})`;
      throw new HeadlightError('model-missing', `${file} ${why}; choose a folder that holds an ONNX model.`, { cause });
    }
    closeIfOpen(descriptor);
    throw new HeadlightError('model-missing', `${file} is not a file; choose a folder that holds an ONNX model.`);
  }

  /** The folder of `realPath`: what the file's external data is found in. */
  get folder(): string {
    return path.dirname(this.realPath);
  }

  /** Whether its bytes are in no file. */
  get isInMemory(): boolean {
    return typeof this.source !== 'number';
  }

  /** The same once more, to be read on its own. */
  reopen(): ModelFile {
    return typeof this.source === 'number' ? ModelFile.open(this.path) : ModelFile.inMemory(this.source, this);
  }

  close(): void {
    if (typeof this.source === 'number') {
      closeSync(this.source);
    }
  }

  byte(position: number): number {
    if (position < this.windowStart || position >= this.windowEnd) {
      this.fillWindow(position);
    }
    return this.window[position - this.windowStart];
  }

  /** A copy of the bytes in `range`. */
  read({ offset, length }: ByteRange): Buffer {
    if (length > LARGEST_READ) {
      throw this.invalid(`has ${length} bytes at ${offset} where a graph keeps no weights`);
    }
    if (offset >= this.windowStart && offset + length <= this.windowEnd) {
      return Buffer.from(this.window.subarray(offset - this.windowStart, offset - this.windowStart + length));
    }
    const bytes = Buffer.allocUnsafeSlow(length);
    this.readInto(bytes, offset);
    return bytes;
  }

  text(range: ByteRange): string {
    this.textLeft -= range.length;
    if (this.textLeft < 0) {
      throw this.invalid('has more text in its graph than any model needs');
    }
    const from = range.offset - this.windowStart;
    return from >= 0 && from + range.length <= this.windowEnd - this.windowStart
      ? this.window.toString('utf8', from, from + range.length)
      : this.read(range).toString('utf8');
  }

  /** Called for each record of the wire format, so that a file of nothing but records comes to an end. */
  countRecord(): void {
    if (--this.recordsLeft < 0) {
      throw this.invalid('has more records in its graph than any model needs');
    }
  }

  /** The error for a file that breaks its format; `what` continues the sentence after the file's path. */
  invalid(what: string): HeadlightError {
    return new HeadlightError(
      'model-invalid',
      `${this.path} ${what}; it is damaged, incomplete or not an ONNX model, so download or export it again.`,
    );
  }

  private fillWindow(position: number): void {
    const length = Math.min(WINDOW_BYTES, this.size - position);
    if (length <= 0) {
      throw this.invalid(`ends at byte ${this.size}, in the middle of a record`);
    }
    this.readInto(this.window.subarray(0, length), position);
    this.windowStart = position;
    this.windowEnd = position + length;
  }

  private readInto(bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      const count =
        typeof this.source === 'number'
          ? readSync(this.source, bytes, done, bytes.length - done, offset + done)
          : this.source.copy(bytes, done, offset + done);
      if (count === 0) {
        throw this.invalid(`ends at byte ${offset + done}, in the middle of a record`);
      }
      done += count;
    }
  }
}

function closeIfOpen(descriptor: number | undefined): void {
  if (descriptor !== undefined) {
    closeSync(descriptor);
  }
}
