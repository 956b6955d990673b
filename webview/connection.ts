import { createMessageConnection, type MessageConnection } from 'vscode-jsonrpc/browser';
import { overPort } from '../src/protocol/port';

/** What the editor gives a webview's script. */
export interface WebviewHost {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): WebviewHost;

/** Can be called once a page. */
export function acquireHost(): WebviewHost {
  return acquireVsCodeApi();
}

/** The panel's end of the channel to the editor. */
export function connectTo(host: WebviewHost): MessageConnection {
  const { reader, writer } = overPort({
    post: (message) => host.postMessage(message),
    onMessage: (listener) => {
      const onMessage = (event: MessageEvent) => listener(event.data);
      window.addEventListener('message', onMessage);
      return { dispose: () => window.removeEventListener('message', onMessage) };
    },
  });
  return createMessageConnection(reader, writer);
}
