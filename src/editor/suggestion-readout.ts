import * as vscode from 'vscode';
import type { SuggestedToken, Suggestion } from '../protocol/suggestion';

/** The hover of a suggestion: each token with its probability and the two runners-up. */
export function suggestionReadout({ tokens, probability }: Suggestion): vscode.MarkdownString {
  const [{ typed, confidence }] = tokens;
  const reaching =
    typed === ''
      ? ''
      : `Of all that begins with ${code(typed)}, the first token has ${percent(confidence)}; in the table is its own.\n\n`;
  const markdown = new vscode.MarkdownString(
    `**Suggested by the model** · ${percent(probability)} that it writes just this\n\n${reaching}` +
      '| token | p | runner-up | p | then | p |\n| --- | ---: | --- | ---: | --- | ---: |\n',
  );
  for (const token of tokens) {
    const cells = [token, ...token.runnersUp].map(({ text, probability: own }, index) => [
      code(index === 0 ? wholeToken(token) : text),
      percent(own),
    ]);
    markdown.appendMarkdown(`| ${cells.flat().join(' | ')} |\n`);
  }
  markdown.appendMarkdown('\n[Explain](command:headlight.explainSuggestion)');
  markdown.isTrusted = { enabledCommands: ['headlight.explainSuggestion'] };
  return markdown;
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
