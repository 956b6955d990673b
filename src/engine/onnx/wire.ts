import type { ByteRange, ModelFile } from './model-file';

/** The four encodings of a protobuf record that ONNX uses. */
export enum WireType {
  Varint = 0,
  Fixed64 = 1,
  Bytes = 2,
  Fixed32 = 5,
}

/** ONNX nests a dozen messages for a tensor in a node of a graph, and as many again for each branch inside a branch. */
const DEEPEST_MESSAGE = 48;

/**
 * Walks the records of one protobuf message inside a file. `next` goes to a record, then at most one of the value
 * methods reads it; what is not read is jumped over without touching its bytes.
 *
 * Everything that does not fit the message around it is a HeadlightError `model-invalid`.
 */
export class WireReader {
  /** Number and encoding of the record that `next` went to. */
  field = 0;
  type = WireType.Varint;
  private position: number;
  private start = 0;
  private readonly end: number;
  private pending = false;

  constructor(
    readonly file: ModelFile,
    range: ByteRange,
    private readonly depth = 0,
  ) {
    this.position = range.offset;
    this.end = range.offset + range.length;
    if (depth > DEEPEST_MESSAGE) {
      throw file.invalid('nests its records without end');
    }
  }

  /** Goes to the next record; false at the end of the message. */
  next(): boolean {
    if (this.pending) {
      this.skip();
    }
    if (this.position === this.end) {
      return false;
    }
    this.file.countRecord();
    this.start = this.position;
    const tag = this.readVarint();
    this.field = Math.floor(tag / 8);
    this.type = tag % 8;
    if (this.field === 0 || !(this.type in WireType)) {
      throw this.file.invalid(`has no valid record at byte ${this.start}`);
    }
    this.pending = true;
    return true;
  }

  /** The whole record, its number and encoding included. */
  record(): ByteRange {
    if (this.pending) {
      this.skip();
    }
    return { offset: this.start, length: this.position - this.start };
  }

  /** An integer, signed. Beyond 2^53 the nearest double. */
  integer(): number {
    this.expect(WireType.Varint);
    return this.readVarint();
  }

  /** An integer of 64 bits, signed, exact. */
  bigInteger(): bigint {
    this.expect(WireType.Varint);
    return this.readBigVarint();
  }

  /** The bytes of a string, message or packed list. */
  range(): ByteRange {
    this.expect(WireType.Bytes);
    const length = this.readVarint();
    const offset = this.position;
    this.checkRoom(length);
    this.position += length;
    return { offset, length };
  }

  text(): string {
    return this.file.text(this.range());
  }

  message(): WireReader {
    return new WireReader(this.file, this.range(), this.depth + 1);
  }

  float(): number {
    this.expect(WireType.Fixed32);
    return this.readFloat();
  }

  /** One integer, or a packed list of them: `repeated int64` is written either way. */
  *integers(): Generator<number> {
    if (this.type === WireType.Varint) {
      yield this.integer();
      return;
    }
    const list = this.message();
    while (list.position < list.end) {
      this.file.countRecord();
      yield list.readVarint();
    }
  }

  /** One 32-bit float, or a packed list of them. */
  *floats(): Generator<number> {
    if (this.type === WireType.Fixed32) {
      yield this.float();
      return;
    }
    const list = this.message();
    while (list.position < list.end) {
      this.file.countRecord();
      yield list.readFloat();
    }
  }

  /** As `integers`, exact. */
  *bigIntegers(): Generator<bigint> {
    if (this.type === WireType.Varint) {
      yield this.bigInteger();
      return;
    }
    const list = this.message();
    while (list.position < list.end) {
      this.file.countRecord();
      yield list.readBigVarint();
    }
  }

  private expect(type: WireType): void {
    if (this.type !== type) {
      throw this.file.invalid(`has field ${this.field} in the wrong encoding before byte ${this.position}`);
    }
    this.pending = false;
  }

  private skip(): void {
    switch (this.type) {
      case WireType.Varint:
        this.integer();
        return;
      case WireType.Bytes:
        this.range();
        return;
      default: {
        const length = this.type === WireType.Fixed64 ? 8 : 4;
        this.checkRoom(length);
        this.position += length;
        this.pending = false;
      }
    }
  }

  private checkRoom(length: number): void {
    if (length < 0 || length > this.end - this.position) {
      throw this.file.invalid(
        `has a record of ${length} bytes at byte ${this.position}, where only ${this.end - this.position} follow`,
      );
    }
  }

  private readFloat(): number {
    this.checkRoom(4);
    this.position += 4;
    return this.file.read({ offset: this.position - 4, length: 4 }).readFloatLE(0);
  }

  private readByte(): number {
    this.checkRoom(1);
    return this.file.byte(this.position++);
  }

  /** Seven bits a byte, least significant first, in three parts that bitwise operators can hold. */
  private readVarint(): number {
    let low = 0;
    let middle = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.readByte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return low;
      }
    }
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.readByte();
      middle |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return middle * 2 ** 28 + low;
      }
    }
    const ninth = this.readByte();
    const top = ninth < 0x80 ? 0 : this.readByte();
    if (top > 1) {
      throw this.file.invalid(`has a number of more than 64 bits before byte ${this.position}`);
    }
    const upper = (middle >>> 4) | ((ninth & 0x7f) << 24) | (top << 31);
    const lower = (low | (middle << 28)) >>> 0;
    return upper * 2 ** 32 + lower;
  }

  private readBigVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.readByte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        return BigInt.asIntN(64, value);
      }
    }
    throw this.file.invalid(`has a number of more than 64 bits before byte ${this.position}`);
  }
}

/** Writes the records of one protobuf message. */
export class WireWriter {
  private readonly parts: Uint8Array[] = [];
  private bytesWritten = 0;

  get byteLength(): number {
    return this.bytesWritten;
  }

  integer(field: number, value: number | bigint): this {
    return this.tag(field, WireType.Varint).append(varint(value));
  }

  float(field: number, value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    return this.tag(field, WireType.Fixed32).append(bytes);
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.tag(field, WireType.Bytes).append(varint(value.length)).append(value);
  }

  message(field: number, message: WireWriter): this {
    this.tag(field, WireType.Bytes).append(varint(message.byteLength));
    for (const part of message.parts) {
      this.append(part);
    }
    return this;
  }

  /** Records that are encoded already. */
  records(bytes: Uint8Array): this {
    return this.append(bytes);
  }

  /** What was written, in pieces that were not copied. */
  chunks(): readonly Uint8Array[] {
    return this.parts;
  }

  /** What was written, as one copy. */
  finish(): Uint8Array {
    return Buffer.concat(this.parts, this.bytesWritten);
  }

  private tag(field: number, type: WireType): this {
    return this.append(varint(field * 8 + type));
  }

  private append(bytes: Uint8Array): this {
    this.parts.push(bytes);
    this.bytesWritten += bytes.length;
    return this;
  }
}

function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
