import assert from 'node:assert/strict';
import { deflateSync, crc32 as zlibCrc32 } from 'node:zlib';
import { gridPicture, linesPicture } from '../../../../webview/export/pictures';
import { crc32, withTexts } from '../../../../webview/export/png';
import { escapeXml, svgOf } from '../../../../webview/export/svg';
import type { Palette } from '../../../../webview/render/theme';
import { sampleAbout } from './about';

const palette = {
  ...{ kind: 'dark', background: '#111', strong: '#fff', muted: '#999', data: '#29c' },
  ...{ monoFont: '"Mono <One>", monospace', uiFont: 'sans-serif' },
} as Palette;

const grid = {
  ...{ title: 'A & B', cellWidth: 10, cellHeight: 10, uprightColumns: true },
  ...{ rowLabels: ['<a>', 'b'], columnLabels: ['c', '灯'] },
  fill: (row: number, column: number) => (column > row ? null : column === 0 ? '#123456' : '#abcdef'),
};

describe('exported pictures', () => {
  it('are vectors: a path a colour, and text as text', () => {
    const svg = svgOf(gridPicture(grid, palette), sampleAbout);
    assert.equal(svg.match(/<path fill="#123456"/g)?.length, 1);
    assert.equal(svg.match(/<path fill="#123456" d="([^"]*)"/)![1].match(/M/g)?.length, 2, 'two cells of that colour');
    assert.match(svg, /<text [^>]*rotate\(-90\)[^>]*>灯<\/text>/);
    assert.match(svg, />&#60;a&#62;<\/text>/);
    assert.doesNotMatch(svg, /<image|<script|href=|style=/);
  });

  it('say in themselves where they come from', () => {
    const svg = svgOf(gridPicture(grid, palette), sampleAbout);
    const [, metadata] = svg.match(/<metadata>(.*)<\/metadata>/)!;
    const text = metadata.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
    assert.deepEqual(JSON.parse(text), sampleAbout);
    assert.match(svg, /<desc>Headlight, attention, matrix · tiny · a\.ts:1–2 · layer 1 · head null<\/desc>/);
  });

  it('hold no character that XML does not know', () => {
    assert.equal(escapeXml('a\u0000\u001b\ud800\uffff<'), 'a\ufffd\ufffd\ufffd\ufffd&#60;');
    assert.equal(escapeXml('👋'), '👋');
  });

  it('draw a curve for each line', () => {
    const lines = [{ row: 0, column: 1, weight: 0.5 }];
    const svg = svgOf(
      linesPicture({ title: 'x', rowLabels: ['a'], columnLabels: ['b', 'c'], lines }, palette),
      sampleAbout,
    );
    assert.match(
      svg,
      /<path d="M[\d. ]+C[\d. ]+" fill="none" stroke="#29c" stroke-width="1.2" stroke-opacity="0.43"\/>/,
    );
  });

  it('join cells of one colour that touch', () => {
    const row = { ...grid, cellWidth: 4, cellHeight: 4, rowLabels: ['a'], columnLabels: ['b', 'c', 'd'] };
    const svg = svgOf(gridPicture({ ...row, fill: () => '#123456' }, palette), sampleAbout);
    assert.match(svg, /d="M[\d.]+ [\d.]+h12v4h-12z"/);
  });

  it('carry texts as PNG chunks behind the header, with the right checksums', () => {
    assert.equal(crc32(new TextEncoder().encode('IEND')), zlibCrc32('IEND'));
    const png = plainPng();
    const bytes = Buffer.from(withTexts(png, { Title: 'A title', Description: '{"a":1}' }));
    assert.deepEqual(chunksOf(bytes), [
      ['IHDR', 13],
      ['tEXt', 'Title\0A title'.length],
      ['tEXt', 'Description\0{"a":1}'.length],
      ['IDAT', chunksOf(Buffer.from(png))[1][1]],
      ['IEND', 0],
    ]);
    assert.ok(bytes.includes('Description\0{"a":1}'));
  });
});

/** One black pixel. */
function plainPng(): Uint8Array {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    checksum.writeUInt32BE(zlibCrc32(body));
    return Buffer.concat([length, body, checksum]);
  };
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixels = chunk('IDAT', deflateSync(Buffer.from([0, 0])));
  return Buffer.concat([signature, chunk('IHDR', header), pixels, chunk('IEND', Buffer.alloc(0))]);
}

/** Type and length of each chunk, whose checksums have to be right. */
function chunksOf(png: Buffer): [string, number][] {
  const chunks: [string, number][] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    assert.equal(png.readUInt32BE(at + 8 + length), zlibCrc32(png.subarray(at + 4, at + 8 + length)));
    chunks.push([png.toString('latin1', at + 4, at + 8), length]);
    at += 12 + length;
  }
  return chunks;
}
