/**
 * The colour maps of the panel: low to high, linear between the stops. Lightness is monotonic, and adjacent stops stay
 * apart under simulated deutan, protan and tritan vision.
 */

/** Which set of colours fits the editor's theme. */
export type ThemeKind = 'dark' | 'light' | 'hc-dark' | 'hc-light';

/** What a colour map stands for. `weight` and the diverging `score` draw cells; the others draw tints behind text. */
export type ColourMapName = 'weight' | 'score' | 'probability' | 'surprisal';

type Stops = readonly string[];
type PerTheme<T> = Readonly<Record<ThemeKind, T>>;

function perTheme(dark: Stops, light: Stops, highContrast: Stops): PerTheme<Stops> {
  return { dark, light, 'hc-dark': highContrast, 'hc-light': light };
}

const STOPS: Readonly<Record<ColourMapName, PerTheme<Stops>>> = {
  weight: perTheme(
    ['#23262C', '#2C3B5C', '#2F5389', '#2670AE', '#1591C5', '#1CB2D4', '#4DD1DC', '#91EBE3', '#DAFFF3'],
    ['#F1F4F7', '#CBDFEA', '#9BC6DA', '#66ABC9', '#3891B9', '#1A73AA', '#115595', '#143978', '#122056'],
    ['#161616', '#1B2C50', '#184686', '#0C67A9', '#098BBE', '#1DB0D1', '#4BD4DE', '#A9EDE6', '#FFFFFF'],
  ),
  score: perTheme(
    ['#73CBF0', '#439DD6', '#3570AA', '#2D496D', '#262627', '#65412C', '#9F6235', '#D48A43', '#FBBD6E'],
    ['#1D4587', '#3971B3', '#6C9FCF', '#ABCCE5', '#F5F6F6', '#E7C5A2', '#D19461', '#B76424', '#8E3C07'],
    ['#73CBF0', '#439DD6', '#3570AA', '#2D496D', '#262627', '#65412C', '#9F6235', '#D48A43', '#FBBD6E'],
  ),
  probability: perTheme(
    ['#272C32', '#24364A', '#213F57', '#1F4D6A', '#1F5C7C', '#1E6C8E'],
    ['#EFF4F8', '#DDEFF8', '#C5E8F6', '#AEDEF5', '#98D3F3', '#83C7F0'],
    ['#161616', '#0B2637', '#0A3751', '#0A4B6D', '#085F86', '#01729F'],
  ),
  surprisal: perTheme(
    ['#2B2826', '#3D2F24', '#52371F', '#6C411E', '#874A1E', '#A45120'],
    ['#F4F1EB', '#F8EBD5', '#F6DBB4', '#F5C993', '#F7B573', '#F99F55'],
    ['#161616', '#301D0D', '#4F2A0A', '#703905', '#924808', '#B4561A'],
  ),
};

/** One tint for each class of `rankClass`. */
const RANK_TINTS = perTheme(
  ['#2C2B30', '#403255', '#563974', '#714295', '#8D4DB1'],
  ['#F3F1F7', '#E8DEF9', '#DFC9FA', '#D4B1F5', '#CD98ED'],
  ['#161616', '#32204A', '#502C72', '#743D9A', '#974DBF'],
);

/** What the classes of `rankClass` are called, in their order. */
export const RANK_CLASS_LABELS: readonly string[] = ['1', '2–5', '6–20', '21–100', '>100'];

/** The surprisal that takes the last stop, in bits. */
export const SURPRISAL_TOP = 12;

/** Rank from 1 to one of five classes: 1 | 2–5 | 6–20 | 21–100 | above. */
export function rankClass(rank: number): number {
  return rank <= 1 ? 0 : rank <= 5 ? 1 : rank <= 20 ? 2 : rank <= 100 ? 3 : 4;
}

/** The tint of a rank as a CSS colour. */
export function rankTint(rank: number, theme: ThemeKind): string {
  return RANK_TINTS[theme][rankClass(rank)];
}

/** The tints of the five classes, in their order. */
export function rankTints(theme: ThemeKind): Stops {
  return RANK_TINTS[theme];
}

/** The stops of a colour map as hex colours, low to high. */
export function stopsOf(name: ColourMapName, theme: ThemeKind): Stops {
  return STOPS[name][theme];
}

/** Colours between the stops that a look-up table holds; fine enough that neighbours cannot be told apart. */
const TABLE_SIZE = 1024;
const tables = new Map<string, Uint32Array>();

/**
 * A colour map as a table for `ImageData`: entry round(value × (length − 1)) of a value 0–1 is one opaque pixel in
 * memory order R, G, B, A.
 */
export function colourTable(name: ColourMapName, theme: ThemeKind): Uint32Array {
  const key = `${name} ${theme}`;
  let table = tables.get(key);
  if (table === undefined) {
    table = new Uint32Array(TABLE_SIZE);
    const bytes = new Uint8Array(table.buffer);
    for (let entry = 0; entry < TABLE_SIZE; entry++) {
      const [red, green, blue] = mix(STOPS[name][theme], entry / (TABLE_SIZE - 1));
      bytes.set([red, green, blue, 255], entry * 4);
    }
    tables.set(key, table);
  }
  return table;
}

/** The colour of a value 0–1 for CSS; values outside take the nearer end. */
export function cssColour(name: ColourMapName, theme: ThemeKind, value: number): string {
  const [red, green, blue] = mix(STOPS[name][theme], Math.min(1, Math.max(0, value)));
  return `rgb(${red}, ${green}, ${blue})`;
}

function mix(stops: Stops, value: number): [number, number, number] {
  const place = value * (stops.length - 1);
  const below = Math.min(stops.length - 2, Math.floor(place));
  const share = place - below;
  const low = channels(stops[below]);
  const high = channels(stops[below + 1]);
  const channel = (k: number) => Math.round(low[k] + (high[k] - low[k]) * share);
  return [channel(0), channel(1), channel(2)];
}

function channels(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
