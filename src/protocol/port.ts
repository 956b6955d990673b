import {
  AbstractMessageReader,
  AbstractMessageWriter,
  type DataCallback,
  type Disposable,
  type Message,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc';

/** One end of a channel that carries structured clones, such as `postMessage` between the editor and its webview. */
export interface MessagePortLike {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): Disposable;
}

class PortReader extends AbstractMessageReader implements MessageReader {
  constructor(private readonly port: MessagePortLike) {
    super();
  }

  listen(callback: DataCallback): Disposable {
    return this.port.onMessage((message) => {
      if (isRpcMessage(message)) {
        callback(message);
      }
    });
  }
}

class PortWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly port: MessagePortLike) {
    super();
  }

  async write(message: Message): Promise<void> {
    this.port.post(message);
  }

  end(): void {}
}

function isRpcMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && (message as Partial<Message>).jsonrpc === '2.0';
}

/** The two halves that a JSON-RPC connection needs. */
export function overPort(port: MessagePortLike): { reader: MessageReader; writer: MessageWriter } {
  return { reader: new PortReader(port), writer: new PortWriter(port) };
}
