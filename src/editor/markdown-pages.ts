import * as vscode from 'vscode';

const SCHEME = 'headlight-page';

/** Pages of Markdown that are only read, each shown rendered under its name. */
export class MarkdownPages implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly provider: vscode.Disposable;
  private readonly pages = new Map<string, string>();

  constructor() {
    this.provider = vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      onDidChange: this.changed.event,
      provideTextDocumentContent: ({ path }) =>
        this.pages.get(path) ?? 'This page is no longer in memory; run the command again that has shown it.',
    });
  }

  async show(name: string, markdown: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}.md` });
    this.pages.set(uri.path, markdown);
    this.changed.fire(uri);
    await vscode.commands.executeCommand('markdown.showPreview', uri);
  }

  dispose(): void {
    this.changed.dispose();
    this.provider.dispose();
  }
}
