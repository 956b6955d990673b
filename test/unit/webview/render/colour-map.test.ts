import assert from 'node:assert/strict';
import {
  type ColourMapName,
  colourTable,
  cssColour,
  rankClass,
  rankTint,
  rankTints,
  stopsOf,
  type ThemeKind,
} from '../../../../webview/render/colour-map';

const THEMES: readonly ThemeKind[] = ['dark', 'light', 'hc-dark', 'hc-light'];
const MAPS: readonly ColourMapName[] = ['weight', 'probability', 'surprisal'];

function channelsAt(table: Uint32Array, entry: number): number[] {
  return [...new Uint8Array(table.buffer, entry * 4, 4)];
}

/** Relative luminance of WCAG. */
function luminance([red, green, blue]: readonly number[]): number {
  const linear = (value: number) =>
    value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function hexChannels(hex: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

describe('colour maps', () => {
  it('begin and end at their first and last stop, opaque', () => {
    const table = colourTable('weight', 'dark');
    assert.deepEqual(channelsAt(table, 0), [0x23, 0x26, 0x2c, 255]);
    assert.deepEqual(channelsAt(table, table.length - 1), [0xda, 0xff, 0xf3, 255]);
  });

  it('have one lightness direction in every theme, so that order can be seen without colour', () => {
    for (const theme of THEMES) {
      for (const name of MAPS) {
        const values = stopsOf(name, theme).map((stop) => luminance(hexChannels(stop)));
        const rising = values[values.length - 1] > values[0];
        for (let at = 1; at < values.length; at++) {
          assert.equal(values[at] > values[at - 1], rising, `${name} ${theme} stop ${at}`);
        }
      }
    }
  });

  it('keep text readable on the strongest tint', () => {
    const text: Record<ThemeKind, string> = {
      dark: '#f0f0f0',
      light: '#242424',
      'hc-dark': '#ffffff',
      'hc-light': '#1a1a1a',
    };
    for (const theme of THEMES) {
      const tints = [...stopsOf('probability', theme), ...stopsOf('surprisal', theme), ...rankTints(theme)];
      for (const tint of tints) {
        const [lighter, darker] = [luminance(hexChannels(tint)), luminance(hexChannels(text[theme]))].sort(
          (a, b) => b - a,
        );
        assert.ok((lighter + 0.05) / (darker + 0.05) >= 4.5, `${tint} in ${theme}`);
      }
    }
  });

  it('take the nearer end for values outside of 0–1', () => {
    assert.equal(cssColour('surprisal', 'dark', 7), cssColour('surprisal', 'dark', 1));
    assert.equal(cssColour('surprisal', 'dark', -1), cssColour('surprisal', 'dark', 0));
  });

  it('mix linearly between stops', () => {
    assert.equal(cssColour('probability', 'hc-dark', 0.1), 'rgb(17, 30, 39)');
  });

  it('sort ranks into five classes', () => {
    assert.deepEqual([1, 2, 5, 6, 20, 21, 100, 101, 50257].map(rankClass), [0, 1, 1, 2, 2, 3, 3, 4, 4]);
    assert.equal(rankTint(50257, 'light'), '#CD98ED');
  });
});
