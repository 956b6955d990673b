import { NotificationType, RequestType } from 'vscode-jsonrpc';
import type { BranchPath } from './continuation';
import type { Device, DeviceStatus } from './device';
import type { OfTrace } from './engine';
import type { FailureCode } from './errors';
import type { ModelSummary } from './model';
import type { SamplerSettings, Trace } from './trace';

/**
 * What the editor tells the panel. One whole snapshot at each change, so that a panel that was hidden or reloaded is
 * right after the next one. The panel asks for what it shows of a trace with the requests of engine.ts (`trace/…`),
 * which the editor hands on to the engine.
 */
export interface PanelSnapshot {
  readonly model: ModelSummary | null;
  readonly device: DeviceStatus | null;
  /** The device that is being tried with the model, before it is loaded; null at other times. */
  readonly trying: Device | null;
  /** Whether the panel follows the editor's selection. */
  readonly following: boolean;
  readonly sampler: SamplerSettings;
  readonly passage: Passage | null;
  readonly status: PanelStatus;
}

/** Where the inspected text stands. */
export interface Passage {
  /** File name as the editor shows it, e.g. `greet.ts`. */
  readonly fileName: string;
  /** First line, from 1. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** The text that the model read, as it was when it was read, with its own line ends; token offsets count from its start. */
  readonly text: string;
  /** True where nothing was selected, so that the text up to the caret was taken. */
  readonly upToCaret: boolean;
  /**
   * Where in `text` what the model has written begins, which does not stand in the document; null where all of it does.
   * In UTF-16 code units.
   */
  readonly generatedFrom: number | null;
  /** The trace of the passage itself, where a branch of it is shown; null where no branch is. */
  readonly root: Trace | null;
  /** True where the document has changed since. */
  readonly edited: boolean;
}

/** A symbol of the document, as the editor's language support names it. */
export interface PassageSymbol {
  readonly name: string;
  /** UTF-16 offsets into the passage's text, cut where the symbol reaches beyond it. */
  readonly start: number;
  readonly end: number;
}

export type PanelStatus =
  /** Nothing has been inspected yet. */
  | { readonly kind: 'empty' }
  /** `previous` stays on the screen, dimmed, until the new trace is there. */
  | { readonly kind: 'working'; readonly activity: 'loading-model' | 'running'; readonly previous: Trace | null }
  | { readonly kind: 'ready'; readonly trace: Trace }
  | { readonly kind: 'failed'; readonly code: FailureCode; readonly message: string };

/** Says which passage is meant: by the time the message arrives the editor may have gone on to another one. */
export interface OfPassage {
  /** Id of the trace of the passage itself, not of a branch of it. */
  readonly rootId: number;
}

/** Editor → panel. */
export const SnapshotNotification = new NotificationType<PanelSnapshot>('panel/snapshot');
/** Editor → panel: the editor's caret or hover stands in this token of the passage; null: in none. */
export const RevealTokenNotification = new NotificationType<{ readonly index: number | null }>('panel/revealToken');

/** Panel → editor: the panel has started and wants a snapshot. */
export const PanelReadyNotification = new NotificationType<Record<string, never>>('panel/ready');
/** Panel → editor: mark this token in the editor; null: none. */
export const HoverTokenNotification = new NotificationType<{ readonly index: number | null }>('panel/hoverToken');
/** Panel → editor: follow the selection, or stay with the passage. */
export const FollowNotification = new NotificationType<{ readonly following: boolean }>('panel/follow');
/** Panel → editor: the sampler was changed in the panel; it is kept for the window. */
export const SamplerNotification = new NotificationType<{ readonly sampler: SamplerSettings }>('panel/sampler');
/** Panel → editor: show this branch of the passage, or with null the passage itself. */
export const ShowBranchNotification = new NotificationType<OfPassage & { readonly path: BranchPath | null }>(
  'panel/showBranch',
);
/** Panel → editor: write this branch of the passage into the document, in the place of what stands there. */
export const InsertBranchNotification = new NotificationType<OfPassage & { readonly path: BranchPath }>(
  'panel/insertBranch',
);
/** Panel → editor: put this text at the end of the inspected passage. */
export const InsertNotification = new NotificationType<OfPassage & { readonly text: string }>('panel/insert');
/** Panel → editor: run one of the extension's commands. */
export const CommandNotification = new NotificationType<{ readonly command: PanelCommand }>('panel/command');
/** Panel → editor: put this text on the clipboard. */
export const CopyNotification = new NotificationType<{ readonly text: string }>('panel/copy');

/** Panel → editor: the symbols of the passage, parents before their children; none where no language support knows any. */
export const SymbolsRequest = new RequestType<OfTrace, readonly PassageSymbol[], unknown>('panel/symbols');

export type FileKind = 'csv' | 'json' | 'svg' | 'png' | 'npy';

export interface SaveParams {
  /** Of the file that is proposed, without its ending. */
  readonly name: string;
  readonly kind: FileKind;
  readonly content: string | Uint8Array;
}

/** Panel → editor: ask where to, and write this there. `savedAs` is null where it was not written. */
export const SaveRequest = new RequestType<SaveParams, { readonly savedAs: string | null }, unknown>('panel/save');

export type PanelCommand =
  | 'inspectSelection'
  | 'restartEngine'
  | 'showLog'
  | 'chooseModel'
  | 'checkDevice'
  | 'openSettings';
