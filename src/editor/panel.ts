import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import {
  type CancellationToken,
  createMessageConnection,
  type MessageConnection,
  type RequestType,
} from 'vscode-jsonrpc/node';
import { ContinuationRequest } from '../protocol/continuation';
import { CandidatesRequest, HeadMatrixRequest, HeadOverviewRequest } from '../protocol/engine';
import { toResponseError } from '../protocol/errors';
import { CombinedHeadsRequest, HeadScoresRequest } from '../protocol/heads';
import {
  CommandNotification,
  CopyNotification,
  FollowNotification,
  HoverTokenNotification,
  InsertBranchNotification,
  InsertNotification,
  PanelReadyNotification,
  RevealTokenNotification,
  SamplerNotification,
  SaveRequest,
  ShowBranchNotification,
  SnapshotNotification,
  SymbolsRequest,
} from '../protocol/panel';
import { overPort } from '../protocol/port';
import { STAGE_REQUESTS } from '../protocol/stages';
import { TrainingRequest } from '../protocol/training';
import type { Engine } from './engine';
import type { Inspection } from './inspection';
import { saveFile } from './save-file';

const VIEW_TYPE = 'headlight.panel';

/** Shows the inspection beside the editor: hands on snapshots, and the panel's questions about a trace to the engine. */
export class Panel implements vscode.Disposable {
  private open: { readonly view: vscode.WebviewPanel; readonly connection: MessageConnection } | null = null;
  private readonly hovered = new vscode.EventEmitter<number | null>();
  private readonly visibility = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[];

  /** The token of the trace under the pointer in the panel, or null. */
  readonly onDidHoverToken = this.hovered.event;
  readonly onDidChangeVisibility = this.visibility.event;

  constructor(
    private readonly resources: vscode.Uri,
    private readonly inspection: Inspection,
    private readonly engine: Engine,
  ) {
    this.subscriptions = [
      inspection.onDidChange(() => this.sendSnapshot()),
      vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
        deserializeWebviewPanel: async (view) => {
          this.attach(view);
          await this.inspection.restore();
        },
      }),
    ];
  }

  get visible(): boolean {
    return this.open?.view.visible ?? false;
  }

  /** Shows the panel beside the editor, which keeps the focus. */
  reveal(): void {
    if (this.open !== null) {
      this.open.view.reveal(undefined, true);
      return;
    }
    const column = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    this.attach(vscode.window.createWebviewPanel(VIEW_TYPE, 'Headlight', column));
  }

  /** Marks a token of the trace in the panel; null marks none. */
  revealToken(index: number | null): void {
    void this.open?.connection.sendNotification(RevealTokenNotification, { index });
  }

  dispose(): void {
    this.open?.view.dispose();
    this.hovered.dispose();
    this.visibility.dispose();
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
  }

  private attach(view: vscode.WebviewPanel): void {
    view.iconPath = {
      light: vscode.Uri.joinPath(this.resources, 'media', 'headlight-light.svg'),
      dark: vscode.Uri.joinPath(this.resources, 'media', 'headlight-dark.svg'),
    };
    const { webview } = view;
    webview.options = {
      enableScripts: true,
      localResourceRoots: [vscode.Uri.joinPath(this.resources, 'dist', 'webview')],
    };
    const { reader, writer } = overPort({
      post: (message) => void webview.postMessage(message),
      onMessage: (listener) => webview.onDidReceiveMessage(listener),
    });
    const connection = createMessageConnection(reader, writer);
    this.open = { view, connection };
    this.answer(connection);
    connection.listen();
    webview.html = this.html(webview);
    view.onDidChangeViewState(() => this.visibility.fire());
    view.onDidDispose(() => {
      connection.dispose();
      this.open = null;
      this.hovered.fire(null);
      this.visibility.fire();
    });
    this.visibility.fire();
  }

  private answer(connection: MessageConnection): void {
    this.handOn(connection, HeadOverviewRequest);
    this.handOn(connection, HeadMatrixRequest);
    this.handOn(connection, HeadScoresRequest);
    this.handOn(connection, CombinedHeadsRequest);
    this.handOn(connection, CandidatesRequest);
    this.handOn(connection, ContinuationRequest);
    this.handOn(connection, TrainingRequest);
    for (const request of STAGE_REQUESTS) {
      this.handOn(connection, request as RequestType<unknown, unknown, unknown>);
    }
    connection.onRequest(SaveRequest, (params) => saveFile(params, this.inspection.document));
    connection.onRequest(SymbolsRequest, () => this.inspection.symbols());
    connection.onNotification(PanelReadyNotification, () => this.sendSnapshot());
    connection.onNotification(HoverTokenNotification, ({ index }) => this.hovered.fire(index));
    connection.onNotification(FollowNotification, ({ following }) => {
      this.inspection.following = following;
    });
    connection.onNotification(SamplerNotification, ({ sampler }) => {
      this.inspection.sampler = sampler;
    });
    connection.onNotification(
      ShowBranchNotification,
      ({ rootId, path }) => void this.inspection.showBranch(rootId, path),
    );
    connection.onNotification(
      InsertBranchNotification,
      ({ rootId, path }) => void this.inspection.insertBranch(rootId, path),
    );
    connection.onNotification(InsertNotification, ({ rootId, text }) => void this.inspection.insertAtEnd(rootId, text));
    connection.onNotification(
      CommandNotification,
      ({ command }) => void vscode.commands.executeCommand(`headlight.${command}`),
    );
    connection.onNotification(CopyNotification, ({ text }) => void vscode.env.clipboard.writeText(text));
  }

  /** A question about a trace goes to the engine as it is. */
  private handOn<P, R>(connection: MessageConnection, type: RequestType<P, R, unknown>): void {
    connection.onRequest<unknown, unknown>(type.method, async (params: P, cancellation: CancellationToken) => {
      try {
        return await this.engine.ask(type, params, cancellation);
      } catch (error) {
        throw toResponseError(error);
      }
    });
  }

  private sendSnapshot(): void {
    void this.open?.connection.sendNotification(SnapshotNotification, this.inspection.snapshot);
  }

  private html(webview: vscode.Webview): string {
    const nonce = randomBytes(24).toString('base64');
    const resource = (name: string) =>
      webview.asWebviewUri(vscode.Uri.joinPath(this.resources, 'dist', 'webview', name));
    const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src ${webview.cspSource} 'nonce-${nonce}'`;
    return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<!-- The component library adds a style element of its own, and looks for its nonce here. -->
<meta property="csp-nonce" content="${nonce}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${resource('panel.css')}">
<title>Headlight</title>
</head>
<body>
<div id="root"></div>
<script nonce="${nonce}" src="${resource('panel.js')}"></script>
</body>
</html>`;
  }
}
