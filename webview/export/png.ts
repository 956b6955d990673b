import { asciiJson } from '../../src/protocol/ascii-json';
import { type About, describe } from './about';
import type { FilledRect, Picture, Point, StrokeStyle, Surface, TextStyle } from './surface';

/** Device pixels a CSS pixel, for print and dense screens; less where the picture would be too large for a canvas. */
const SCALE = 2;
const LARGEST_SIDE = 8192;

/** A picture as PNG. What it shows of which model and text stands in its text chunks, as JSON. */
export async function pngOf(picture: Picture, about: About): Promise<Uint8Array> {
  const { width, height, background } = picture;
  const scale = Math.min(SCALE, LARGEST_SIDE / Math.max(width, height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(width * scale);
  canvas.height = Math.ceil(height * scale);
  const context = canvas.getContext('2d')!;
  context.scale(scale, scale);
  context.fillStyle = background;
  context.fillRect(0, 0, width, height);
  picture.draw(new CanvasSurface(context));
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (blob === null) {
    throw new Error('The picture is too large to be made.');
  }
  const texts = { Software: 'Headlight', Title: ascii(describe(about)), Description: asciiJson(about) };
  return withTexts(new Uint8Array(await blob.arrayBuffer()), texts);
}

class CanvasSurface implements Surface {
  constructor(private readonly context: CanvasRenderingContext2D) {}

  cells(cells: Iterable<FilledRect>): void {
    for (const { x, y, width, height, fill } of cells) {
      this.context.fillStyle = fill;
      this.context.fillRect(x, y, width, height);
    }
  }

  text(text: string, x: number, y: number, { size, fill, font, align = 'left', weight, upwards }: TextStyle): void {
    const { context } = this;
    context.save();
    context.translate(x, y);
    if (upwards) {
      context.rotate(-Math.PI / 2);
    }
    context.font = `${weight ?? 400} ${size}px ${font}`;
    context.fillStyle = fill;
    context.textAlign = align;
    context.textBaseline = 'middle';
    context.fillText(text, 0, 0);
    context.restore();
  }

  stroke([first, ...others]: readonly Point[], { stroke, width, opacity = 1, curved = false }: StrokeStyle): void {
    const { context } = this;
    context.save();
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.globalAlpha = opacity;
    context.beginPath();
    context.moveTo(first.x, first.y);
    if (curved) {
      const [one, two, end] = others;
      context.bezierCurveTo(one.x, one.y, two.x, two.y, end.x, end.y);
    } else {
      for (const { x, y } of others) {
        context.lineTo(x, y);
      }
    }
    context.stroke();
    context.restore();
  }
}

/** Signature and the header chunk: the other chunks begin here. */
const AFTER_HEADER = 8 + 25;

/** A PNG with tEXt chunks (https://www.w3.org/TR/png-3/#11tEXt) behind its header. Texts are ASCII. */
export function withTexts(png: Uint8Array, texts: Readonly<Record<string, string>>): Uint8Array {
  const chunks = Object.entries(texts).map(([keyword, text]) => chunk('tEXt', `${keyword}\0${text}`));
  const length = chunks.reduce((sum, { length }) => sum + length, png.length);
  const result = new Uint8Array(length);
  result.set(png.subarray(0, AFTER_HEADER));
  let at = AFTER_HEADER;
  for (const part of chunks) {
    result.set(part, at);
    at += part.length;
  }
  result.set(png.subarray(AFTER_HEADER), at);
  return result;
}

function chunk(type: string, text: string): Uint8Array {
  const bytes = new Uint8Array(12 + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, text.length);
  for (const [at, character] of [...type, ...text].entries()) {
    bytes[4 + at] = character.charCodeAt(0);
  }
  view.setUint32(8 + text.length, crc32(bytes.subarray(4, 8 + text.length)));
  return bytes;
}

/** The checksum of PNG and ISO 3309. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function ascii(text: string): string {
  return text
    .replaceAll('·', '|')
    .replaceAll('–', '-')
    .replace(/[^\x20-\x7e]/g, '?');
}
