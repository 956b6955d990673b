import * as vscode from 'vscode';

interface MenuItem extends vscode.QuickPickItem {
  readonly command: string;
}

/** What the menu says about inline suggestions. */
export interface SuggestionsState {
  /** The active document's language; null where there is none. */
  readonly languageId: string | null;
  /** Whether they come by themselves in that language. */
  readonly automatic: boolean;
  readonly paused: boolean;
}

/** What a click on the status bar offers. */
export async function showMenu(highlightsOn: boolean, suggestions: SuggestionsState): Promise<void> {
  const items: MenuItem[] = [
    { label: '$(eye) Inspect Selection', command: 'headlight.inspectSelection' },
    {
      label: `$(symbol-color) ${highlightsOn ? 'Hide' : 'Show'} Tokens in the Editor`,
      command: 'headlight.toggleTokenHighlights',
    },
    ...suggestionItems(suggestions),
    { label: '$(library) Choose Model…', command: 'headlight.chooseModel' },
    { label: '$(list-tree) Show Model', command: 'headlight.showModel' },
    { label: '$(circuit-board) Check Device…', command: 'headlight.checkDevice' },
    { label: '$(debug-restart) Restart Engine', command: 'headlight.restartEngine' },
    { label: '$(output) Show Log', command: 'headlight.showLog' },
    { label: '$(gear) Settings', command: 'headlight.openSettings' },
  ];
  const chosen = await vscode.window.showQuickPick(items, { title: 'Headlight' });
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen.command);
  }
}

function suggestionItems({ languageId, automatic, paused }: SuggestionsState): MenuItem[] {
  if (languageId === null) {
    return [];
  }
  const toggle = {
    label: `$(sparkle) Turn Inline Suggestions ${automatic ? 'Off' : 'On'} for ${languageId}`,
    command: 'headlight.toggleInlineSuggestions',
  };
  const pause = {
    label: paused ? '$(debug-continue) Resume Inline Suggestions' : '$(debug-pause) Pause Inline Suggestions',
    description: paused ? '' : 'for 10 minutes',
    command: 'headlight.pauseInlineSuggestions',
  };
  return automatic ? [toggle, pause] : [toggle];
}
