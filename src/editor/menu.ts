import * as vscode from 'vscode';

interface MenuItem extends vscode.QuickPickItem {
  readonly command: string;
}

/** What a click on the status bar offers. */
export async function showMenu(highlightsOn: boolean): Promise<void> {
  const items: MenuItem[] = [
    { label: '$(eye) Inspect Selection', command: 'headlight.inspectSelection' },
    {
      label: `$(symbol-color) ${highlightsOn ? 'Hide' : 'Show'} Tokens in the Editor`,
      command: 'headlight.toggleTokenHighlights',
    },
    { label: '$(library) Choose Model…', command: 'headlight.chooseModel' },
    { label: '$(list-tree) Show Model', command: 'headlight.showModel' },
    { label: '$(debug-restart) Restart Engine', command: 'headlight.restartEngine' },
    { label: '$(output) Show Log', command: 'headlight.showLog' },
    { label: '$(gear) Settings', command: 'headlight.openSettings' },
  ];
  const chosen = await vscode.window.showQuickPick(items, { title: 'Headlight' });
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen.command);
  }
}
