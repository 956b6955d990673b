import * as vscode from 'vscode';
import type { Engine } from './engine';
import type { Inspection } from './inspection';
import { showMenu } from './menu';
import type { Panel } from './panel';
import type { Settings } from './settings';
import type { TokenHighlights } from './token-highlights';

export interface CommandTargets {
  readonly engine: Engine;
  readonly inspection: Inspection;
  readonly panel: Panel;
  readonly highlights: TokenHighlights;
  readonly settings: Settings;
  readonly log: vscode.LogOutputChannel;
}

/** Registers every command of package.json. */
export function registerCommands({
  engine,
  inspection,
  panel,
  highlights,
  settings,
  log,
}: CommandTargets): vscode.Disposable {
  const commands: Record<string, () => unknown> = {
    inspectSelection: async () => {
      const editor = vscode.window.activeTextEditor;
      panel.reveal();
      if (editor !== undefined) {
        await inspection.inspectSelection(editor);
      } else {
        // Asked for from the panel itself, which then has the focus: the passage as it stands now.
        await inspection.inspectAgain();
      }
    },
    toggleTokenHighlights: () => highlights.toggle(),
    showMenu: () => showMenu(highlights.enabled),
    openModelFolder: () => chooseModelFolder(settings),
    restartEngine: async () => {
      engine.restart();
      if (panel.visible) {
        await inspection.inspectAgain();
      }
    },
    showLog: () => log.show(),
    openSettings: () => vscode.commands.executeCommand('workbench.action.openSettings', 'headlight.'),
  };
  const registrations = Object.entries(commands).map(([name, run]) =>
    vscode.commands.registerCommand(`headlight.${name}`, run),
  );
  return vscode.Disposable.from(...registrations);
}

async function chooseModelFolder(settings: Settings): Promise<void> {
  const chosen = await vscode.window.showOpenDialog({
    title: 'Choose a model folder: config.json, a tokenizer and model.onnx',
    canSelectFiles: false,
    canSelectFolders: true,
    canSelectMany: false,
    openLabel: 'Use This Model',
  });
  if (chosen !== undefined && chosen.length > 0) {
    await settings.chooseModelDirectory(chosen[0].fsPath);
  }
}
