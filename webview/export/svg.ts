import { asciiJson } from '../../src/protocol/ascii-json';
import { type About, describe } from './about';
import type { FilledRect, Picture, Point, StrokeStyle, Surface, TextStyle } from './surface';

/** A picture as vectors, its text as text. What it shows of which model and text stands in `metadata`, as JSON. */
export function svgOf(picture: Picture, about: About): string {
  const surface = new SvgSurface();
  picture.draw(surface);
  const { width, height, background } = picture;
  const title = escapeXml(describe(about));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${number(width)}" height="${number(height)}" viewBox="0 0 ${number(width)} ${number(height)}" role="img">`,
    `<title>${title}</title>`,
    `<desc>${title}</desc>`,
    `<metadata>${escapeXml(asciiJson(about))}</metadata>`,
    `<rect width="100%" height="100%" fill="${escapeXml(background)}"/>`,
    ...surface.parts,
    '</svg>\n',
  ].join('\n');
}

class SvgSurface implements Surface {
  readonly parts: string[] = [];

  cells(cells: Iterable<FilledRect>): void {
    // One path a colour: a matrix has tens of thousands of cells and a few hundred colours.
    const paths = new Map<string, string[]>();
    for (const { x, y, width, height, fill } of cells) {
      const path = paths.get(fill) ?? [];
      paths.set(fill, path);
      path.push(`M${number(x)} ${number(y)}h${number(width)}v${number(height)}h${number(-width)}z`);
    }
    for (const [fill, path] of paths) {
      this.parts.push(`<path fill="${escapeXml(fill)}" d="${path.join('')}"/>`);
    }
  }

  text(text: string, x: number, y: number, { size, fill, font, align = 'left', weight, upwards }: TextStyle): void {
    const anchor = { left: 'start', right: 'end', center: 'middle' }[align];
    const place = upwards
      ? `transform="translate(${number(x)} ${number(y)}) rotate(-90)"`
      : `x="${number(x)}" y="${number(y)}"`;
    const heavy = weight === undefined ? '' : ` font-weight="${weight}"`;
    this.parts.push(
      `<text ${place} font-family="${escapeXml(font)}" font-size="${number(size)}"${heavy} fill="${escapeXml(fill)}" ` +
        `text-anchor="${anchor}" dominant-baseline="central" xml:space="preserve">${escapeXml(text)}</text>`,
    );
  }

  stroke(points: readonly Point[], { stroke, width, opacity, curved = false }: StrokeStyle): void {
    const [first, ...others] = points.map(({ x, y }) => `${number(x)} ${number(y)}`);
    const clear = opacity === undefined ? '' : ` stroke-opacity="${number(opacity)}"`;
    this.parts.push(
      `<path d="M${first}${curved ? 'C' : 'L'}${others.join(' ')}" fill="none" stroke="${escapeXml(stroke)}" stroke-width="${number(width)}"${clear}/>`,
    );
  }
}

/** Control characters, halves of surrogate pairs, and what is no character. */
const UNKNOWN_TO_XML = /[\p{Cc}\p{Cs}\ufffe\uffff]/gu;

/** Two decimals are finer than any screen. */
function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Text for XML 1.0; characters that it does not know at all become U+FFFD. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`).replace(UNKNOWN_TO_XML, '\ufffd');
}
