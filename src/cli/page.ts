import type { CandidateList, HeadOverview, HeadStatistics, TokenReading, Trace } from '../protocol/trace';
import { visible } from './visible';

/** What the page shows. */
export interface PageContent {
  readonly trace: Trace;
  readonly candidates: CandidateList;
  /** Null where the model's attention was not found. */
  readonly heads: HeadOverview | null;
  readonly loadMs: number;
  /** Whether the terminal takes ANSI colours. */
  readonly color: boolean;
}

const CANDIDATE_ROWS = 10;
const BAR_CELLS = 24;
/** Surprisal in bits from which the next colour is used, and that colour of the 256 of a terminal. */
const SURPRISAL_STEPS = [
  { bits: 0, background: 151, label: '0' },
  { bits: 2, background: 187, label: '2' },
  { bits: 5, background: 223, label: '5' },
  { bits: 9, background: 216, label: '9' },
  { bits: 13, background: 210, label: '13 bits' },
];
const NO_SURPRISAL = 252;

/** What a head is strong at, and by which of its statistics. */
const KINDS: readonly { readonly title: string; readonly statistic: keyof HeadStatistics }[] = [
  { title: 'previous token', statistic: 'previous' },
  { title: 'induction', statistic: 'induction' },
  { title: 'duplicate token', statistic: 'duplicate' },
  { title: 'first token', statistic: 'first' },
];
const HEADS_OF_A_KIND = 3;

/** The readable page for a terminal, with a line end after each line. */
export function renderPage(content: PageContent): string {
  const sections = [
    summary(content),
    content.color ? colouredTokens(content.trace) : tokenTable(content.trace),
    candidateTable(content),
    strongestHeads(content),
  ];
  return `${sections.join('\n\n')}\n`;
}

function summary({ trace, loadMs, color }: PageContent): string {
  const { model, device, tokens, truncation, perplexity, meanSurprisal, timing } = trace;
  const lines = [
    `${bold(model.name, color)} · ${model.architecture}, ${count(model.layers, 'layer')} × ${count(model.heads, 'head')} · ${device.device}${device.reason === null ? '' : ` (${device.reason})`}`,
    [
      count(tokens.length, 'token'),
      ...(perplexity === null || meanSurprisal === null
        ? []
        : [`perplexity ${perplexity.toFixed(1)}`, `${meanSurprisal.toFixed(2)} bits a token`]),
      `loaded in ${Math.round(loadMs)} ms, run in ${Math.round(timing.tokenizeMs + timing.forwardMs)} ms`,
    ].join(' · '),
  ];
  if (truncation !== null) {
    lines.push(
      `The text has ${truncation.totalTokens} tokens; the last ${truncation.keptTokens} were read, as many as the context holds.`,
    );
  }
  if (tokens[0].added) {
    lines.push(`The model is used to find ${tokens[0].text} before a text: it was added.`);
  }
  return lines.join('\n');
}

/** The passage itself, each token on the colour of its surprisal. */
function colouredTokens({ tokens }: Trace): string {
  const legend = SURPRISAL_STEPS.map(({ background, label }) => cell(` ${label} `, background)).join('');
  const texts = passageTexts(tokens);
  const passage = tokens.map((token, index) => {
    const text = visible(texts[index]);
    const background = token.surprisal === null ? NO_SURPRISAL : backgroundFor(token.surprisal);
    // A line break is drawn as a sign and made as well, so that the passage keeps its lines.
    return `${cell(text, background)}${token.text.includes('\n') ? '\n' : ''}`;
  });
  return `${bold('Tokens', true)}  surprisal ${legend}\n${passage.join('').replace(/\n$/, '')}`;
}

/** What each token shows of the passage: of tokens that share characters the first shows them, the others a dot. */
function passageTexts(tokens: readonly TokenReading[]): string[] {
  const texts: string[] = [];
  for (let first = 0; first < tokens.length; first = texts.length) {
    let end = first + 1;
    while (end < tokens.length && tokens[end].start < tokens[end - 1].end) {
      end++;
    }
    const bytes = tokens.slice(first, end).flatMap((token) => token.bytes);
    texts.push(new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes)));
    texts.push(...new Array<string>(end - first - 1).fill('·'));
  }
  return texts;
}

function tokenTable({ tokens }: Trace): string {
  const rows = tokens.map((token) => [
    String(token.index),
    String(token.id),
    token.probability === null ? '–' : percent(token.probability),
    token.rank === null ? '–' : String(token.rank),
    token.surprisal === null ? '–' : token.surprisal.toFixed(2),
    quoted(token),
  ]);
  return table('Tokens', ['index', 'id', 'probability', 'rank', 'bits', 'token'], rows, false);
}

function candidateTable({ candidates: list, color }: PageContent): string {
  const shown = list.candidates.slice(0, CANDIDATE_ROWS);
  const largest = Math.max(...shown.map(({ probability }) => probability));
  const rows = shown.map((candidate) => [
    String(candidate.rank),
    percent(candidate.probability),
    candidate.samplerProbability === 0 ? 'cut' : percent(candidate.samplerProbability),
    bar(candidate.probability / largest),
    quoted(candidate),
  ]);
  const kept =
    list.cut === null
      ? 'the sampler keeps the whole vocabulary'
      : `the sampler keeps ${list.kept} of ${list.vocabSize} tokens, cut by ${list.cut}`;
  return table(`Next token (${kept})`, ['rank', 'model', 'sampler', '', 'token'], rows, color);
}

function strongestHeads({ heads, trace, color }: PageContent): string {
  const title = bold('Strongest heads', color);
  if (heads === null) {
    return `${title}\n  ${trace.attention.available ? '' : trace.attention.reason}`;
  }
  const lines = KINDS.map(({ title: kind, statistic }) => {
    const strongest = [...heads.statistics[statistic]]
      .map((score, index) => ({ score, name: `${Math.floor(index / heads.heads)}.${index % heads.heads}` }))
      .filter(({ score }) => !Number.isNaN(score))
      .sort((a, b) => b.score - a.score)
      .slice(0, HEADS_OF_A_KIND)
      .map(({ score, name }) => `${name.padStart(5)} ${score.toFixed(2)}`);
    const scores = strongest.length > 0 ? strongest.join('  ') : '  no token repeats';
    return `  ${kind.padEnd(16)}${scores}`;
  });
  return [`${title} (layer.head, mean weight)`, ...lines].join('\n');
}

/** Columns aligned to the right but for the last, whose width in a terminal cannot be known. */
export function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  color: boolean,
): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]) =>
    `  ${cells.map((text, column) => (column === cells.length - 1 ? text : text.padStart(widths[column]))).join('  ')}`;
  return [bold(title, color), line(head), ...rows.map(line)].join('\n');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** Two significant digits at least: 0.4 % is not "< 0.01 %". */
export function percent(probability: number): string {
  const value = 100 * probability;
  if (value > 0 && value < 0.01) {
    return '<0.01 %';
  }
  return `${value < 1 ? value.toPrecision(2) : value.toFixed(value < 10 ? 2 : 1)} %`;
}

/** Eighths of a character cell. */
function bar(share: number): string {
  const eighths = Math.round(share * BAR_CELLS * 8);
  const rest = eighths % 8;
  const full = '█'.repeat((eighths - rest) / 8);
  return `${full}${rest > 0 ? String.fromCharCode(0x2590 - rest) : ''}`.padEnd(BAR_CELLS);
}

export function quoted({ text }: Pick<TokenReading, 'text'>): string {
  return `"${visible(text)}"`;
}

function backgroundFor(surprisal: number): number {
  return SURPRISAL_STEPS.findLast(({ bits }) => surprisal >= bits)?.background ?? SURPRISAL_STEPS[0].background;
}

function cell(text: string, background: number): string {
  return `\x1b[38;5;16;48;5;${background}m${text}\x1b[0m`;
}

function bold(text: string, color: boolean): string {
  return color ? `\x1b[1m${text}\x1b[0m` : text;
}
