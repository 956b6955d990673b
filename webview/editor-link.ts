import type { MessageConnection } from 'vscode-jsonrpc';
import type { BranchPath } from '../src/protocol/continuation';
import {
  CommandNotification,
  CopyNotification,
  FollowNotification,
  HoverTokenNotification,
  InsertBranchNotification,
  InsertNotification,
  type PanelCommand,
  PanelReadyNotification,
  SamplerNotification,
  type SaveParams,
  SaveRequest,
  ShowBranchNotification,
} from '../src/protocol/panel';
import type { SamplerSettings } from '../src/protocol/trace';
import { type PanelStore, rootOf } from './state';

/** What the panel tells the editor. */
export class EditorLink {
  #told: { hovered: number | null; sampler: SamplerSettings };
  #frame = 0;

  constructor(
    private readonly connection: MessageConnection,
    private readonly store: PanelStore,
  ) {
    this.#told = { hovered: null, sampler: store.state.sampler };
    store.subscribe(() => this.#schedule());
    window.addEventListener('pagehide', () => this.#tell());
  }

  ready(): void {
    this.#send(this.connection.sendNotification(PanelReadyNotification, {}));
  }

  follow(following: boolean): void {
    this.#send(this.connection.sendNotification(FollowNotification, { following }));
  }

  insert(text: string): void {
    this.#ofPassage((rootId) => this.connection.sendNotification(InsertNotification, { rootId, text }));
  }

  showBranch(path: BranchPath | null): void {
    this.#ofPassage((rootId) => this.connection.sendNotification(ShowBranchNotification, { rootId, path }));
  }

  insertBranch(path: BranchPath): void {
    this.#ofPassage((rootId) => this.connection.sendNotification(InsertBranchNotification, { rootId, path }));
  }

  run(command: PanelCommand): void {
    this.#send(this.connection.sendNotification(CommandNotification, { command }));
  }

  copy(text: string): void {
    this.#send(this.connection.sendNotification(CopyNotification, { text }));
  }

  /** @returns the name of the file that was written; null where none was */
  async save(params: SaveParams): Promise<string | null> {
    return (await this.connection.sendRequest(SaveRequest, params)).savedAs;
  }

  /** Hovers and sliders change more often than the editor can use. */
  #schedule(): void {
    const { hovered, sampler } = this.store.state;
    if (this.#frame === 0 && (hovered !== this.#told.hovered || sampler !== this.#told.sampler)) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#tell();
      });
    }
  }

  #tell(): void {
    const { hovered, sampler, snapshot } = this.store.state;
    const told = this.#told;
    this.#told = { hovered, sampler };
    if (hovered !== told.hovered) {
      this.#send(this.connection.sendNotification(HoverTokenNotification, { index: hovered }));
    }
    if (sampler !== told.sampler && sampler !== snapshot?.sampler) {
      this.#send(this.connection.sendNotification(SamplerNotification, { sampler }));
    }
  }

  #ofPassage(send: (rootId: number) => Promise<void>): void {
    const root = rootOf(this.store.state);
    if (root !== null) {
      this.#send(send(root.id));
    }
  }

  #send(sent: Promise<void>): void {
    // Posting to the editor fails only while the page is torn down.
    sent.catch(() => {});
  }
}
