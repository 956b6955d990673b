import * as vscode from 'vscode';
import type { InlineSuggestions, SuggestionAt } from './inline-suggestions';
import type { Inspection } from './inspection';
import type { Panel } from './panel';
import { meanOfTokens } from './suggestion-readout';

/** Shows the panel on the text before the caret and what is suggested there. */
export async function explainSuggestion(
  suggestions: InlineSuggestions,
  inspection: Inspection,
  panel: Panel,
): Promise<void> {
  const all = suggestions.allAtCaret();
  if (all.length === 0) {
    void vscode.window.showInformationMessage(
      'Headlight suggests nothing at the caret; ask for a suggestion first (Trigger Inline Suggestion).',
    );
    return;
  }
  const chosen = all.length === 1 ? all[0] : await choose(all);
  if (chosen !== undefined) {
    const { document, position, suggestion, typed } = chosen;
    panel.reveal();
    await inspection.inspectSuggestion(document, position, suggestion.text.slice(typed));
  }
}

/** Which of its alternatives the editor shows is the editor's own knowledge. */
async function choose(all: readonly SuggestionAt[]): Promise<SuggestionAt | undefined> {
  const items = all.map((at) => ({
    label: at.suggestion.text.slice(at.typed).replace(/\r?\n\s*/g, ' ⏎ '),
    description: meanOfTokens(at.suggestion),
    at,
  }));
  const title = 'Explain which suggestion? With the mean probability of its tokens';
  return (await vscode.window.showQuickPick(items, { title }))?.at;
}
