import * as vscode from 'vscode';
import type { Engine } from './engine';
import type { MarkdownPages } from './markdown-pages';
import { modelMarkdown } from './model-markdown';

/** `Headlight: Show Model`: what the analysis of the graph found, layer by layer. Loads the model where none is loaded yet. */
export async function showModelPage(engine: Engine, pages: MarkdownPages): Promise<void> {
  const options = { location: vscode.ProgressLocation.Window, title: 'Headlight: reading the model' };
  const report = await vscode.window.withProgress(options, () => engine.report());
  await pages.show(report.model.name, modelMarkdown(report));
}
