import { type ChildProcess, fork } from 'node:child_process';
import {
  type CancellationToken,
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  type MessageConnection,
  type NotificationType,
  type RequestType,
} from 'vscode-jsonrpc/node';
import { HeadlightError } from '../protocol/errors';

export interface EngineClientOptions {
  /** Path of the engine's entry point. */
  readonly entryPoint: string;
  /** The environment of a process that is started; by default that of this one. */
  readonly env?: () => NodeJS.ProcessEnv;
  /** Receives what the process writes on its standard streams, and its starts and ends. */
  readonly log: (line: string) => void;
  /** Called when the process has ended without being asked to. */
  readonly onStopped?: (error: HeadlightError) => void;
}

interface Running {
  readonly child: ChildProcess;
  readonly connection: MessageConnection;
  /** Set once the process has ended. */
  ended: HeadlightError | null;
}

/** What a request is told that was under way when the process was ended on purpose. */
export const STOPPED = 'The engine was stopped.';

/** Enough of the end of standard error to find the reason in. */
const STDERR_TAIL = 2_000;

/**
 * The near end of the engine process. The process starts with the first request, and again with the first one after it
 * has ended; requests that were under way when it ended fail with `engine-stopped`.
 */
export class EngineClient {
  private running: Running | null = null;
  private readonly notificationHandlers: ((connection: MessageConnection) => void)[] = [];

  constructor(private readonly options: EngineClientOptions) {}

  /** Of the process that is up, if there is one. */
  get pid(): number | undefined {
    return this.running?.child.pid;
  }

  /** @throws HeadlightError what the engine answered, or `engine-stopped`, or `cancelled` */
  async request<P, R>(type: RequestType<P, R, unknown>, params: P, cancellation?: CancellationToken): Promise<R> {
    if (cancellation?.isCancellationRequested) {
      throw cancelled();
    }
    this.running ??= this.start();
    const running = this.running;
    try {
      // By name: a generic type parameter does not fit the overloads that take a `RequestType`.
      return await running.connection.sendRequest<R>(type.method, params, ...(cancellation ? [cancellation] : []));
    } catch (error) {
      if (running.ended !== null) {
        throw running.ended;
      }
      if (cancellation?.isCancellationRequested) {
        throw cancelled();
      }
      throw HeadlightError.from(error);
    }
  }

  /** Hears a notification of this process and of every one that follows it. */
  onNotification<P>(type: NotificationType<P>, handler: (params: P) => void): void {
    const listen = (connection: MessageConnection) => {
      connection.onNotification(type, handler);
    };
    this.notificationHandlers.push(listen);
    if (this.running !== null) {
      listen(this.running.connection);
    }
  }

  /**
   * Ends the process now, in mid-run if need be. The next request starts a new one.
   *
   * @param why what requests that are under way fail with
   */
  stop(why: HeadlightError = new HeadlightError('engine-stopped', STOPPED)): void {
    const running = this.running;
    if (running !== null) {
      this.running = null;
      this.end(running, why);
      running.child.kill('SIGKILL');
    }
  }

  private start(): Running {
    const { entryPoint, env, log } = this.options;
    // The parent's debugger and loader flags are not meant for the engine.
    const child = fork(entryPoint, [], {
      execArgv: [],
      env: env?.() ?? process.env,
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
    const running: Running = { child, connection, ended: null };
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => log(text.trimEnd()));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_TAIL);
      log(text.trimEnd());
    });
    child.once('error', (error) => this.stopped(running, `could not be started: ${error.message}`));
    // 'close' comes after the streams have been read to their end, so the reason is at hand.
    child.once('close', (code, signal) => this.stopped(running, reasonOf(code, signal, stderr)));
    // The process's end is told by the two handlers above; without one here the connection logs to the console.
    connection.onError(([error]) => log(error.message));
    for (const listen of this.notificationHandlers) {
      listen(connection);
    }
    connection.listen();
    log(`engine started, process ${child.pid}`);
    return running;
  }

  private stopped(running: Running, reason: string): void {
    if (running.ended !== null) {
      return;
    }
    const error = new HeadlightError('engine-stopped', `The engine process ${reason}.`);
    this.options.log(error.message);
    if (this.running === running) {
      this.running = null;
    }
    this.end(running, error);
    this.options.onStopped?.(error);
  }

  private end(running: Running, error: HeadlightError): void {
    running.ended = error;
    // Disposing rejects what is pending.
    running.connection.dispose();
  }
}

function reasonOf(code: number | null, signal: NodeJS.Signals | null, stderr: string): string {
  if (signal !== null) {
    return `was ended by ${signal}`;
  }
  const lastLine = stderr
    .trim()
    .split('\n')
    .findLast((line) => /error/i.test(line));
  return lastLine === undefined ? `ended with code ${code}` : `ended with code ${code}: ${lastLine.trim()}`;
}

function cancelled(): HeadlightError {
  return new HeadlightError('cancelled', 'The request was cancelled.');
}
