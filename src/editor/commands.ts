import * as vscode from 'vscode';
import type { Engine } from './engine';
import type { Inspection } from './inspection';
import { showMenu } from './menu';
import type { ModelPage } from './model-page';
import type { ModelPicker } from './model-picker';
import type { Panel } from './panel';
import type { TokenHighlights } from './token-highlights';

export interface CommandTargets {
  readonly engine: Engine;
  readonly inspection: Inspection;
  readonly panel: Panel;
  readonly highlights: TokenHighlights;
  readonly picker: ModelPicker;
  readonly modelPage: ModelPage;
  readonly log: vscode.LogOutputChannel;
}

/** Registers every command of package.json. */
export function registerCommands({
  engine,
  inspection,
  panel,
  highlights,
  picker,
  modelPage,
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
    chooseModel: async () => {
      if ((await picker.choose()) && panel.visible) {
        await inspection.inspectAgain();
      }
    },
    showModel: () => modelPage.show(),
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
