import * as vscode from 'vscode';
import type { SuggestedToken, Suggestion } from '../protocol/suggestion';

/** The tables of a hover have none. */
const GAP = '&emsp;';

/** The hover of a suggestion: each token with its probability and the two runners-up. */
export function suggestionReadout(suggestion: Suggestion): vscode.MarkdownString {
  const { tokens, probability } = suggestion;
  const [{ typed, confidence }] = tokens;
  const mean = tokens.length === 1 ? '' : `${meanOfTokens(suggestion)} a token · `;
  const reaching =
    typed === ''
      ? ''
      : `Of all that begins with ${code(typed)}, the first token has ${percent(confidence)}; in the table is its own.\n\n`;
  const markdown = new vscode.MarkdownString(
    `**Suggested by the model** · ${mean}${percent(probability)} that it writes just this\n\n${reaching}` +
      `| token | p | ${GAP}runner-up | p | ${GAP}then | p |\n| :--- | ---: | :--- | ---: | :--- | ---: |\n`,
  );
  for (const token of tokens) {
    const cells = [token, ...token.runnersUp].map(({ text, probability: own }, index) => [
      index === 0 ? code(wholeToken(token)) : GAP + code(text),
      percent(own),
    ]);
    markdown.appendMarkdown(`| ${cells.flat().join(' | ')} |\n`);
  }
  markdown.appendMarkdown('\n[Explain](command:headlight.explainSuggestion)');
  markdown.isTrusted = { enabledCommands: ['headlight.explainSuggestion'] };
  return markdown;
}

/** The geometric mean of its tokens' probabilities, so that long and short ones compare. */
export function meanOfTokens({ tokens, probability }: Suggestion): string {
  return `⌀ ${percent(probability ** (1 / tokens.length))}`;
}

/** What of it stands before the caret, and what it adds. */
function wholeToken({ typed, text }: SuggestedToken): string {
  return typed + text;
}

/** A probability as people read it: three digits that say something. */
export function percent(probability: number): string {
  const value = probability * 100;
  return value >= 0.001 ? `${value.toPrecision(3)} %` : '< 0.001 %';
}

/** Text as it is, in a cell of a table: white space visible, nothing of it taken for markup. */
function code(text: string): string {
  const visible = text
    .replaceAll(' ', '·')
    .replaceAll('\t', '→')
    .replaceAll('\r', '␍')
    .replaceAll('\n', '⏎')
    .replaceAll('|', '\\|');
  const longest = Math.max(0, ...(visible.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return visible === '' ? '' : `${fence} ${visible} ${fence}`;
}
