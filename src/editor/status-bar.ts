import * as vscode from 'vscode';
import { DEVICE_NAMES, describeDevice, describeDeviceBriefly } from '../protocol/device';
import { HeadlightError } from '../protocol/errors';
import { LONGEST_TEXT } from '../protocol/limits';
import type { Engine } from './engine';
import type { Inspection } from './inspection';
import type { Settings } from './settings';

/** Work that is done sooner is not worth a spinner. */
const SPINNER_AFTER_MS = 300;
const COUNT_AFTER_MS = 200;

/** Model, device, and the tokens in the selection; a click opens the menu. */
export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('headlight.status', vscode.StatusBarAlignment.Left, 0);
  private readonly subscriptions: vscode.Disposable[];
  private selectedTokens: number | null = null;
  private spinnerTimer: NodeJS.Timeout | undefined;
  private countTimer: NodeJS.Timeout | undefined;
  private counting: vscode.CancellationTokenSource | null = null;
  private busy = false;

  constructor(
    private readonly engine: Engine,
    private readonly inspection: Inspection,
    private readonly settings: Settings,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.item.name = 'Headlight';
    this.item.command = 'headlight.showMenu';
    this.subscriptions = [
      inspection.onDidChange(() => this.workChanged()),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.countSoon(textEditor)),
      vscode.window.onDidChangeActiveTextEditor((editor) => this.countSoon(editor)),
    ];
    this.render();
    this.item.show();
  }

  dispose(): void {
    clearTimeout(this.spinnerTimer);
    clearTimeout(this.countTimer);
    this.counting?.cancel();
    this.item.dispose();
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
  }

  private workChanged(): void {
    if (this.inspection.working) {
      this.spinnerTimer ??= setTimeout(() => {
        this.busy = true;
        this.render();
      }, SPINNER_AFTER_MS);
    } else {
      clearTimeout(this.spinnerTimer);
      this.spinnerTimer = undefined;
      this.busy = false;
    }
    this.render();
  }

  private countSoon(editor: vscode.TextEditor | undefined): void {
    clearTimeout(this.countTimer);
    this.counting?.cancel();
    if (editor === undefined || editor.selection.isEmpty || !this.settings.countTokens) {
      this.selectedTokens = null;
      this.render();
      return;
    }
    this.countTimer = setTimeout(() => void this.count(editor), COUNT_AFTER_MS);
  }

  private async count({ document, selection }: vscode.TextEditor): Promise<void> {
    const length = document.offsetAt(selection.end) - document.offsetAt(selection.start);
    if (length > LONGEST_TEXT) {
      this.selectedTokens = null;
      this.render();
      return;
    }
    const source = new vscode.CancellationTokenSource();
    this.counting = source;
    try {
      const { ids } = await this.engine.tokenize(document.getText(selection), { from: 0, to: length }, source.token);
      if (!source.token.isCancellationRequested) {
        this.selectedTokens = ids.length;
        this.render();
      }
    } catch (thrown) {
      const { code, message } = HeadlightError.from(thrown);
      if (code !== 'cancelled') {
        this.log.warn(`The tokens of the selection were not counted: ${message}`);
      }
    } finally {
      source.dispose();
      if (this.counting === source) {
        this.counting = null;
      }
    }
  }

  private render(): void {
    const { loaded, trying } = this.engine;
    const facts = [
      ...(trying === null ? [] : [`trying ${DEVICE_NAMES[trying]}…`]),
      ...(loaded === null ? [] : [loaded.model.name, describeDeviceBriefly(loaded.device)]),
      ...(this.selectedTokens === null ? [] : [tokens(this.selectedTokens)]),
    ];
    const icon = this.busy || trying !== null ? '$(loading~spin)' : '$(eye)';
    this.item.text = facts.length === 0 ? `${icon} Headlight` : `${icon} Headlight: ${facts.join(' · ')}`;
    this.item.tooltip = this.tooltip();
    this.item.accessibilityInformation = { label: ['Headlight', ...facts].join(', '), role: 'button' };
  }

  private tooltip(): string {
    const { loaded, trying } = this.engine;
    if (trying !== null) {
      return `Headlight: the model runs on ${DEVICE_NAMES[trying]} and on the processor, and their numbers are compared`;
    }
    if (loaded === null) {
      return 'Headlight: no model is loaded yet; it is when you inspect a selection';
    }
    const { name, architecture, layers, heads, contextLength } = loaded.model;
    return [
      `${name}: ${architecture}, ${layers} layers × ${heads} heads, context ${contextLength.toLocaleString('en-US')} tokens`,
      `runs on ${describeDevice(loaded.device)}`,
    ].join('\n');
  }
}

function tokens(count: number): string {
  return count === 1 ? '1 token' : `${count.toLocaleString('en-US')} tokens`;
}
