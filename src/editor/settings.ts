import { homedir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { DeviceChoice } from '../protocol/model';

const SECTION = 'headlight';

/** The extension's settings, read when asked for. Their defaults and descriptions stand in package.json. */
export class Settings {
  constructor(private readonly defaultModelDirectory: string) {}

  /**
   * Absolute path of the model folder. In an untrusted workspace VS Code leaves out what the workspace says
   * (`restrictedConfigurations` in package.json).
   */
  get modelDirectory(): string {
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

  async chooseModelDirectory(directory: string): Promise<void> {
    await vscode.workspace.getConfiguration(SECTION).update('model', directory, vscode.ConfigurationTarget.Global);
  }

  /** Calls back after a change of the model or of the device. */
  onDidChangeModel(listener: () => void): vscode.Disposable {
    return vscode.workspace.onDidChangeConfiguration((event) => {
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
