import { homedir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { DeviceChoice } from '../protocol/model';

const SECTION = 'headlight';
const CHOSEN_KEY = 'headlight.chosenModel';
const RECENT_KEY = 'headlight.recentModels';
/** Models that the picker remembers. */
const MOST_RECENT = 8;

/** The extension's settings, read when asked for. Their defaults and descriptions stand in package.json. */
export class Settings {
  /**
   * @param defaultModelDirectory the model that comes with Headlight
   * @param window remembers this window's choice
   * @param everywhere remembers the models that were used
   */
  constructor(
    readonly defaultModelDirectory: string,
    private readonly window: vscode.Memento,
    private readonly everywhere: vscode.Memento,
  ) {}

  /**
   * Absolute path of the model folder, or of one of its graphs: what was chosen in this window, otherwise the setting. In an untrusted workspace VS Code leaves out what the workspace says
   * (`restrictedConfigurations` in package.json).
   */
  get modelDirectory(): string {
    const chosenHere = this.window.get<string>(CHOSEN_KEY);
    if (chosenHere !== undefined) {
      return chosenHere;
    }
    const chosen = this.read<string>('model').trim();
    if (chosen === '') {
      return this.defaultModelDirectory;
    }
    const expanded = chosen === '~' || chosen.startsWith('~/') ? path.join(homedir(), chosen.slice(1)) : chosen;
    const workspace = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? homedir();
    return path.resolve(workspace, expanded);
  }

  get device(): DeviceChoice {
    return this.read<DeviceChoice>('device');
  }

  /** Milliseconds that a selection must rest before the panel follows it. */
  get followDelay(): number {
    return Math.max(0, this.read<number>('followDelay'));
  }

  get countTokens(): boolean {
    return this.read<boolean>('statusBar.countTokens');
  }

  /** Paths of models that were chosen before, in any window, the last one first. */
  get recentModels(): readonly string[] {
    return this.everywhere.get<readonly string[]>(RECENT_KEY, []);
  }

  /** Remembers a model as this window's; it goes before the setting until that is changed. */
  async chooseModel(directory: string): Promise<void> {
    const recent = [directory, ...this.recentModels.filter((other) => other !== directory)];
    await this.everywhere.update(RECENT_KEY, recent.slice(0, MOST_RECENT));
    await this.window.update(CHOSEN_KEY, directory);
  }

  /** Calls back after a change of the model or of the device. */
  onDidChangeModel(listener: () => void): vscode.Disposable {
    return vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(`${SECTION}.model`)) {
        void this.window.update(CHOSEN_KEY, undefined);
      }
      if (event.affectsConfiguration(`${SECTION}.model`) || event.affectsConfiguration(`${SECTION}.device`)) {
        listener();
      }
    });
  }

  private read<T>(key: string): T {
    const value = vscode.workspace.getConfiguration(SECTION).get<T>(key);
    if (value === undefined) {
      throw new Error(`package.json declares no setting ${SECTION}.${key}`);
    }
    return value;
  }
}
