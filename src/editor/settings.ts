import { homedir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { DeviceChoice } from '../protocol/device';
import type { SuggestionExtent } from '../protocol/suggestion';

const SECTION = 'headlight';
const CHOSEN_KEY = 'headlight.chosenModel';
const RECENT_KEY = 'headlight.recentModels';
/** Models that the picker remembers. */
const MOST_RECENT = 8;
const SUGGESTIONS = 'inlineSuggestions';
/** Stands for every language that is not named. */
const EVERY_LANGUAGE = '*';

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

  /** Absolute path of a folder with ONNX Runtime's CUDA libraries; null where none is named. */
  get cudaFolder(): string | null {
    const folder = this.read<string>('cudaFolder').trim();
    return folder === '' ? null : path.resolve(homedir(), folder.replace(/^~\//, ''));
  }

  /** Whether the name of a special token in a text, such as `<|im_start|>`, is that token to the model. */
  get readsSpecialTokens(): boolean {
    return this.read<boolean>('readSpecialTokens');
  }

  /** Milliseconds that a selection must rest before the panel follows it. */
  get followDelay(): number {
    return Math.max(0, this.read<number>('followDelay'));
  }

  get countTokens(): boolean {
    return this.read<boolean>('statusBar.countTokens');
  }

  /** Whether suggestions come by themselves in a language. */
  suggestsIn(languageId: string): boolean {
    const enabled = this.read<Readonly<Record<string, boolean>>>(`${SUGGESTIONS}.enabled`);
    return enabled[languageId] ?? enabled[EVERY_LANGUAGE] ?? false;
  }

  async setSuggestsIn(languageId: string, on: boolean): Promise<void> {
    const enabled = this.read<Readonly<Record<string, boolean>>>(`${SUGGESTIONS}.enabled`);
    await vscode.workspace
      .getConfiguration(SECTION)
      .update(`${SUGGESTIONS}.enabled`, { ...enabled, [languageId]: on }, vscode.ConfigurationTarget.Global);
  }

  /** Glob patterns of documents in which nothing is suggested. */
  get excludedFromSuggestions(): readonly string[] {
    return this.read<string[]>(`${SUGGESTIONS}.exclude`);
  }

  get suggestionExtent(): SuggestionExtent {
    return this.read<SuggestionExtent>(`${SUGGESTIONS}.extent`);
  }

  /** 0 takes the most probable token each time. */
  get suggestionTemperature(): number {
    return Math.max(0, this.read<number>(`${SUGGESTIONS}.temperature`));
  }

  /** A suggestion stops before a token that is less probable than this, 0–1. */
  get suggestionConfidence(): number {
    return this.read<number>(`${SUGGESTIONS}.confidenceFloor`);
  }

  /** In tokens. */
  get suggestionLength(): number {
    return Math.max(1, Math.round(this.read<number>(`${SUGGESTIONS}.maxTokens`)));
  }

  /** Tokens before the caret that are read for a suggestion. */
  get suggestionWindow(): number {
    return Math.max(1, Math.round(this.read<number>(`${SUGGESTIONS}.windowTokens`)));
  }

  get suggestionCacheBytes(): number {
    return Math.max(0, this.read<number>(`${SUGGESTIONS}.cacheMegabytes`)) * 2 ** 20;
  }

  /** Milliseconds after which a first token comes too late while one types. */
  get slowSuggestionMs(): number {
    return this.read<number>(`${SUGGESTIONS}.slowAfter`);
  }

  /** Calls back after a change of what or where is suggested. */
  onDidChangeSuggestions(listener: () => void): vscode.Disposable {
    return vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(`${SECTION}.${SUGGESTIONS}`)) {
        listener();
      }
    });
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
      if (['model', 'device', 'cudaFolder'].some((key) => event.affectsConfiguration(`${SECTION}.${key}`))) {
        listener();
      }
    });
  }

  /** Calls back after a change of what a text is to the model. */
  onDidChangeReading(listener: () => void): vscode.Disposable {
    return vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(`${SECTION}.readSpecialTokens`)) {
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
