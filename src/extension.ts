import * as vscode from 'vscode';
import { registerCommands } from './editor/commands';
import { showDeviceNotice } from './editor/device-notice';
import { Engine } from './editor/engine';
import { InlineSuggestions } from './editor/inline-suggestions';
import { Inspection } from './editor/inspection';
import { MarkdownPages } from './editor/markdown-pages';
import { ModelPicker } from './editor/model-picker';
import { Panel } from './editor/panel';
import { SelectionFollower } from './editor/selection-follower';
import { Settings } from './editor/settings';
import { StatusBar } from './editor/status-bar';
import { TokenHighlights } from './editor/token-highlights';
import { TokenMark } from './editor/token-mark';

/** The long-lived objects, for the tests in the extension host. */
export interface HeadlightApi {
  readonly engine: Engine;
  readonly inspection: Inspection;
  readonly panel: Panel;
  readonly highlights: TokenHighlights;
  readonly suggestions: InlineSuggestions;
}

/** Builds the long-lived objects. No process is started and no model is read before it is needed. */
export function activate(context: vscode.ExtensionContext): HeadlightApi {
  const log = vscode.window.createOutputChannel('Headlight', { log: true });
  const settings = new Settings(
    context.asAbsolutePath('models/headlight-small'),
    context.workspaceState,
    context.globalState,
  );
  const entryPoint = context.asAbsolutePath('dist/engine/server.mjs');
  const engine = new Engine(entryPoint, settings, context.globalStorageUri.fsPath, log);
  const inspection = new Inspection(engine, context.workspaceState, log);
  const panel = new Panel(context.extensionUri, inspection, engine);
  const highlights = new TokenHighlights(engine, inspection, log);
  const suggestions = new InlineSuggestions(engine, settings, log);
  const mark = new TokenMark(inspection);
  const picker = new ModelPicker(engine, settings, log);
  const pages = new MarkdownPages();
  const inspectAgain = () => {
    if (panel.visible) {
      void inspection.inspectAgain();
    }
  };
  context.subscriptions.push(
    log,
    engine,
    inspection,
    panel,
    highlights,
    suggestions,
    mark,
    pages,
    panel.onDidHoverToken((index) => mark.show(index)),
    new SelectionFollower(inspection, panel, settings),
    engine.onNotice(showDeviceNotice),
    new StatusBar(engine, inspection, settings, log),
    settings.onDidChangeModel(() => {
      engine.reload();
      inspectAgain();
    }),
    settings.onDidChangeReading(() => {
      engine.readAgain();
      inspectAgain();
    }),
    registerCommands({ engine, inspection, panel, highlights, suggestions, picker, pages, log }),
  );
  return { engine, inspection, panel, highlights, suggestions };
}
