import * as vscode from 'vscode';
import { showDevicePage } from './device-page';
import type { Engine } from './engine';
import { explainSuggestion } from './explain-suggestion';
import type { InlineSuggestions } from './inline-suggestions';
import type { Inspection } from './inspection';
import type { MarkdownPages } from './markdown-pages';
import { showMenu } from './menu';
import { showModelPage } from './model-page';
import type { ModelPicker } from './model-picker';
import type { Panel } from './panel';
import type { TokenHighlights } from './token-highlights';

export interface CommandTargets {
  readonly engine: Engine;
  readonly inspection: Inspection;
  readonly panel: Panel;
  readonly highlights: TokenHighlights;
  readonly suggestions: InlineSuggestions;
  readonly picker: ModelPicker;
  readonly pages: MarkdownPages;
  readonly log: vscode.LogOutputChannel;
}

/** Registers every command of package.json. */
export function registerCommands({
  engine,
  inspection,
  panel,
  highlights,
  suggestions,
  picker,
  pages,
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
    toggleInlineSuggestions: async () => {
      const languageId = vscode.window.activeTextEditor?.document.languageId;
      if (languageId !== undefined) {
        await suggestions.toggle(languageId);
      }
    },
    pauseInlineSuggestions: () => suggestions.togglePause(),
    explainSuggestion: () => explainSuggestion(suggestions, inspection, panel),
    showMenu: () => {
      const languageId = vscode.window.activeTextEditor?.document.languageId ?? null;
      const automatic = languageId !== null && suggestions.isAutomaticIn(languageId);
      return showMenu(highlights.enabled, { languageId, automatic, paused: suggestions.paused });
    },
    chooseModel: async () => {
      if ((await picker.choose()) && panel.visible) {
        await inspection.inspectAgain();
      }
    },
    showModel: () => showModelPage(engine, pages),
    checkDevice: () => showDevicePage(engine, pages),
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
