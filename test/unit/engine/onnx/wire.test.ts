import assert from 'node:assert/strict';
import { ModelFile } from '../../../../src/engine/onnx/model-file';
import { WireReader, WireType, WireWriter } from '../../../../src/engine/onnx/wire';
import type { HeadlightError } from '../../../../src/protocol/errors';
import { ModelFiles } from './model-files';

describe('wire format', () => {
  const files = new ModelFiles();

  function reading<T>(content: WireWriter | Uint8Array, use: (reader: WireReader) => T): T {
    const file = ModelFile.open(files.write(content instanceof WireWriter ? content.finish() : content));
    try {
      return use(new WireReader(file, { offset: 0, length: file.size }));
    } finally {
      file.close();
    }
  }

  function refuses(content: Uint8Array, sentence: RegExp): void {
    assert.throws(
      () =>
        reading(content, (reader) => {
          while (reader.next()) {
            reader.record();
          }
        }),
      (error: HeadlightError) => error.code === 'model-invalid' && sentence.test(error.message),
    );
  }

  const INTEGERS = [
    0n,
    1n,
    127n,
    128n,
    16_383n,
    16_384n,
    2n ** 28n - 1n,
    2n ** 28n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 35n,
    2n ** 53n - 1n,
    2n ** 56n,
    2n ** 62n,
    2n ** 63n - 1n,
    -1n,
    -2n,
    -128n,
    -(2n ** 31n),
    -(2n ** 53n) + 1n,
    -(2n ** 63n),
  ];

  for (const value of INTEGERS) {
    it(`keeps the integer ${value}`, () => {
      const writer = new WireWriter().integer(3, value).integer(4, value);
      reading(writer, (reader) => {
        assert.ok(reader.next());
        assert.equal(reader.field, 3);
        assert.equal(reader.integer(), Number(value));
        assert.ok(reader.next());
        assert.equal(reader.bigInteger(), value);
        assert.ok(!reader.next());
      });
    });
  }

  it('keeps texts, floats, bytes and messages in messages', () => {
    const inner = new WireWriter().text(1, 'wörter 🙂').float(2, -0.15625);
    const writer = new WireWriter().message(5, inner).bytes(2000, Uint8Array.of(1, 2, 3));
    reading(writer, (reader) => {
      assert.ok(reader.next());
      const message = reader.message();
      assert.ok(message.next());
      assert.equal(message.text(), 'wörter 🙂');
      assert.ok(message.next());
      assert.equal(message.float(), -0.15625);
      assert.ok(!message.next());
      assert.ok(reader.next());
      assert.equal(reader.field, 2000);
      assert.deepEqual([...reader.file.read(reader.range())], [1, 2, 3]);
      assert.ok(!reader.next());
    });
  });

  it('reads lists that are packed and lists that are not', () => {
    const packed = new WireWriter().bytes(1, Uint8Array.of(1, 2, 0x80, 1));
    const single = new WireWriter().integer(1, 1).integer(1, 2).integer(1, 128);
    for (const writer of [packed, single]) {
      const numbers: number[] = [];
      reading(writer, (reader) => {
        while (reader.next()) {
          numbers.push(...reader.integers());
        }
      });
      assert.deepEqual(numbers, [1, 2, 128]);
    }
  });

  it('jumps over what is not read, in every encoding', () => {
    const fixed = Uint8Array.of(
      (7 << 3) | WireType.Fixed64,
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      (8 << 3) | WireType.Fixed32,
      1,
      2,
      3,
      4,
    );
    const writer = new WireWriter().integer(1, -1).text(2, 'x'.repeat(100_000)).records(fixed).integer(9, 42);
    reading(writer, (reader) => {
      const fields: number[] = [];
      while (reader.next()) {
        fields.push(reader.field);
      }
      assert.deepEqual(fields, [1, 2, 7, 8, 9]);
    });
  });

  it('refuses what does not fit', () => {
    refuses(Uint8Array.of(0x0a, 5, 1, 2), /record of 5 bytes at byte 2, where only 2 follow/);
    refuses(Uint8Array.of(0x08, 0x80), /only 0 follow/);
    refuses(Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), /record of -1 bytes/);
    refuses(Uint8Array.of(0x08, ...new Uint8Array(11).fill(0xff)), /more than 64 bits/);
    refuses(Uint8Array.of(0x0b, 0x0c), /no valid record at byte 0/);
    refuses(Uint8Array.of(0x00, 0x00), /no valid record at byte 0/);
    refuses(Uint8Array.of(0x0d, 1, 2), /record of 4 bytes/);
    refuses(Buffer.from('{"this": "is not a model"}'), /damaged, incomplete or not an ONNX model/);
  });

  it('refuses messages that nest without end', () => {
    let writer = new WireWriter();
    for (let depth = 0; depth < 100; depth++) {
      writer = new WireWriter().message(1, writer);
    }
    assert.throws(
      () =>
        reading(writer, (reader) => {
          let inner = reader;
          while (inner.next()) {
            inner = inner.message();
          }
        }),
      /nests its records without end/,
    );
  });
});
