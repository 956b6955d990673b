import * as vscode from 'vscode';
import type { Engine } from './engine';
import { modelMarkdown } from './model-markdown';

const SCHEME = 'headlight-model';

/** `Headlight: Show Model`: what the analysis of the graph found, layer by layer, as a page that is only read. */
export class ModelPage implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly subscriptions: vscode.Disposable[];
  private readonly pages = new Map<string, string>();

  constructor(private readonly engine: Engine) {
    this.subscriptions = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
        onDidChange: this.changed.event,
        provideTextDocumentContent: ({ path }) => this.pages.get(path) ?? 'Run **Headlight: Show Model** again.',
      }),
    ];
  }

  /** Loads the model where none is loaded yet. */
  async show(): Promise<void> {
    const options = { location: vscode.ProgressLocation.Window, title: 'Headlight: reading the model' };
    const report = await vscode.window.withProgress(options, () => this.engine.report());
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${report.model.name}.md` });
    this.pages.set(uri.path, modelMarkdown(report));
    this.changed.fire(uri);
    await vscode.commands.executeCommand('markdown.showPreview', uri);
  }

  dispose(): void {
    this.changed.dispose();
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
  }
}
