import path from 'node:path';
import * as vscode from 'vscode';
import { HeadlightError } from '../protocol/errors';
import type { GraphFile, ModelDescription } from '../protocol/model';
import type { Engine } from './engine';
import { formatBytes, formatCount } from './model-numbers';
import type { Settings } from './settings';

interface ModelItem extends vscode.QuickPickItem {
  /** A model folder or graph; null asks for one. */
  readonly directory: string | null;
}

/** Lets the user choose a model and loads it; the one in use stays until the new one is ready. */
export class ModelPicker {
  constructor(
    private readonly engine: Engine,
    private readonly settings: Settings,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** @returns whether another model is in use now */
  async choose(): Promise<boolean> {
    const chosen = await this.pick();
    if (chosen === undefined) {
      return false;
    }
    const directory = chosen.directory ?? (await askForFolder());
    const graph = directory === undefined ? undefined : await this.chooseGraph(directory);
    return graph !== undefined && this.use(graph);
  }

  /** The default, the models used before, and a way to others; what each is stands there as soon as it is read. */
  private async pick(): Promise<ModelItem | undefined> {
    const current = this.settings.modelDirectory;
    const known = [...new Set([this.settings.defaultModelDirectory, current, ...this.settings.recentModels])];
    const other: ModelItem = { label: '$(folder-opened) Open model folder…', directory: null, alwaysShow: true };
    const picker = vscode.window.createQuickPick<ModelItem>();
    picker.title = 'Choose a model';
    picker.matchOnDescription = true;
    picker.matchOnDetail = true;
    picker.busy = true;
    const items = known.map(
      (directory): ModelItem => ({ label: path.basename(directory), detail: directory, directory }),
    );
    const show = () => {
      picker.items = [...items, { label: '', kind: vscode.QuickPickItemKind.Separator, directory: null }, other];
    };
    show();
    const reading = known.map(async (directory, index) => {
      items[index] = await this.describe(directory, directory === current);
      show();
    });
    void Promise.all(reading).then(() => {
      picker.busy = false;
    });
    return new Promise((resolve) => {
      picker.onDidAccept(() => {
        resolve(picker.selectedItems[0]);
        picker.hide();
      });
      picker.onDidHide(() => {
        resolve(undefined);
        picker.dispose();
      });
      picker.show();
    });
  }

  private async describe(directory: string, isCurrent: boolean): Promise<ModelItem> {
    const icon = isCurrent ? '$(check) ' : '';
    try {
      const description = await this.engine.describe(directory);
      return { label: `${icon}${description.name}`, ...factsOf(description, directory), directory };
    } catch (thrown) {
      const { message } = HeadlightError.from(thrown);
      return { label: `${icon}${path.basename(directory)}`, description: '$(warning)', detail: message, directory };
    }
  }

  /** A folder with several graphs asks which; one with a single graph, and a graph itself, are taken as they are. */
  private async chooseGraph(directory: string): Promise<string | undefined> {
    let graphFiles: readonly GraphFile[];
    try {
      ({ graphFiles } = await this.engine.describe(directory));
    } catch {
      // Loading it says why it cannot be used.
      return directory;
    }
    if (graphFiles.length === 1 || directory.endsWith('.onnx')) {
      return directory;
    }
    const items = graphFiles.map(({ path: file, byteLength }, index) => ({
      label: path.relative(directory, file),
      description: formatBytes(byteLength),
      // The folder itself stands for the first.
      directory: index === 0 ? directory : file,
    }));
    const chosen = await vscode.window.showQuickPick(items, { title: `Which graph of ${path.basename(directory)}?` });
    return chosen?.directory;
  }

  private async use(directory: string): Promise<boolean> {
    const title = `Headlight: loading ${path.basename(directory)}`;
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    try {
      await vscode.window.withProgress(options, (progress, cancellation) =>
        this.engine.replaceModel(directory, cancellation, (stage) => progress.report({ message: stage })),
      );
    } catch (thrown) {
      const { code, message } = HeadlightError.from(thrown);
      if (code !== 'cancelled') {
        this.log.error(message);
        void vscode.window.showErrorMessage(message);
      }
      return false;
    }
    await this.settings.chooseModel(directory);
    return true;
  }
}

async function askForFolder(): Promise<string | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    title: 'Choose a model folder: config.json, a tokenizer and model.onnx',
    canSelectFiles: false,
    canSelectFolders: true,
    canSelectMany: false,
    openLabel: 'Use This Model',
  });
  return chosen?.[0]?.fsPath;
}

function factsOf(
  model: ModelDescription,
  directory: string,
): { readonly description: string; readonly detail: string } {
  const { architecture, layers, heads, parameters, precision, byteLength, contextLength } = model;
  return {
    description: `${architecture} · ${layers} layers × ${heads} heads · ${formatCount(parameters)} parameters`,
    detail: `${precision} · ${formatBytes(byteLength)} · context ${contextLength.toLocaleString('en-US')} · ${directory}`,
  };
}
