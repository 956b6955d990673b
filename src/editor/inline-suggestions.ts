import * as vscode from 'vscode';
import { HeadlightError } from '../protocol/errors';
import type { Suggestion, SuggestResult } from '../protocol/suggestion';
import type { Engine } from './engine';
import type { Settings } from './settings';
import { type StillFitting, SuggestionMemory } from './suggestion-memory';
import { isExcluded, isWritingPlace, restOfLine, textBefore } from './suggestion-place';
import { suggestionReadout } from './suggestion-readout';
import { TypingRhythm } from './typing-rhythm';

/** Suggestions for the editor's own next and previous commands. */
const ALTERNATIVES = 4;
/** How fast a model is shows in a text that was read before but for its end: a first look takes as long as it takes. */
const FEW_TOKENS = 64;
/** The machine may have been busy with something else once. */
const SLOW_ANSWERS = 2;
const PAUSE_MS = 10 * 60_000;

/** A suggestion at a caret. */
export interface SuggestionAt {
  readonly document: vscode.TextDocument;
  readonly position: vscode.Position;
  readonly suggestion: Suggestion;
  /** How much of its text stands before the caret by now, in UTF-16 code units. */
  readonly typed: number;
}

/**
 * The model writes the grey text at the caret. By itself only in languages where that is switched on, and always when it is
 * asked for (Trigger Inline Suggestion). One request at a time; a key that is typed as suggested is none.
 */
export class InlineSuggestions implements vscode.InlineCompletionItemProvider, vscode.HoverProvider, vscode.Disposable {
  private readonly memory = new SuggestionMemory();
  private readonly rhythm = new TypingRhythm();
  private readonly subscriptions: vscode.Disposable[];
  private pausedUntil = 0;
  /** Answers in succession that came too late to write along. */
  private slowAnswers = 0;
  private saidWhatFailed = false;
  private requests = 0;

  constructor(
    private readonly engine: Engine,
    private readonly settings: Settings,
    private readonly log: vscode.LogOutputChannel,
  ) {
    const everywhere = { pattern: '**' };
    this.subscriptions = [
      vscode.languages.registerInlineCompletionItemProvider(everywhere, this),
      vscode.languages.registerHoverProvider(everywhere, this),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0 && document === vscode.window.activeTextEditor?.document) {
          this.rhythm.keyPressed(performance.now());
        }
      }),
      settings.onDidChangeSuggestions(() => this.forget()),
      settings.onDidChangeModel(() => this.forget()),
      settings.onDidChangeReading(() => this.forget()),
    ];
  }

  /** How many times the model was asked. */
  get requestCount(): number {
    return this.requests;
  }

  get paused(): boolean {
    return Date.now() < this.pausedUntil;
  }

  /** Whether suggestions come by themselves in a language: where that is switched on, unless the model is too slow. */
  isAutomaticIn(languageId: string): boolean {
    return this.settings.suggestsIn(languageId) && this.slowAnswers < SLOW_ANSWERS;
  }

  /** Switches suggestions that come by themselves on or off for a language. */
  async toggle(languageId: string): Promise<void> {
    const on = !this.isAutomaticIn(languageId);
    // Someone who switches them on again has heard that the model is slow.
    this.slowAnswers = 0;
    this.pausedUntil = 0;
    await this.settings.setSuggestsIn(languageId, on);
  }

  /** For a while nothing comes by itself, or from now on it does again. */
  togglePause(): void {
    this.pausedUntil = this.paused ? 0 : Date.now() + PAUSE_MS;
  }

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    { triggerKind, selectedCompletionInfo }: vscode.InlineCompletionContext,
    cancellation: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[]> {
    const automatic = triggerKind === vscode.InlineCompletionTriggerKind.Automatic;
    const unasked = automatic && (this.paused || !this.isAutomaticIn(document.languageId));
    if (
      selectedCompletionInfo !== undefined ||
      isExcluded(document, this.settings.excludedFromSuggestions) ||
      !isWritingPlace(document, position, automatic)
    ) {
      return [];
    }
    const known = this.find(document, position, !automatic);
    if (unasked) {
      // One that was asked for stays while it is typed.
      return known?.flatMap((fitting) => (fitting.typed > 0 ? itemFor(document, position, fitting) : [])) ?? [];
    }
    if (known !== null) {
      return known.map((fitting) => itemFor(document, position, fitting));
    }
    try {
      if (automatic && !(await pause(this.rhythm.wait, cancellation))) {
        return [];
      }
      const { suggestions } = await this.ask(document, position, automatic, cancellation);
      return suggestions.map((suggestion) => itemFor(document, position, { suggestion, typed: 0 }));
    } catch (thrown) {
      this.report(HeadlightError.from(thrown), automatic);
      return [];
    }
  }

  provideHover(document: vscode.TextDocument, position: vscode.Position): vscode.Hover | null {
    const at = this.atCaret();
    return at !== null && at.document === document && isBeside(position, at.position)
      ? new vscode.Hover(suggestionReadout(at.suggestion), new vscode.Range(position, at.position))
      : null;
  }

  /** What is suggested at the caret of the active editor, or null. */
  atCaret(): SuggestionAt | null {
    return this.allAtCaret()[0] ?? null;
  }

  /** All that is suggested at the caret of the active editor: the model's own, then its alternatives. */
  allAtCaret(): readonly SuggestionAt[] {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined || !editor.selection.isEmpty) {
      return [];
    }
    const { document, selection } = editor;
    const position = selection.active;
    const fitting = this.find(document, position, true) ?? this.find(document, position, false) ?? [];
    return fitting.map((each) => ({ document, position, ...each }));
  }

  dispose(): void {
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
  }

  private find(
    document: vscode.TextDocument,
    position: vscode.Position,
    withAlternatives: boolean,
  ): readonly StillFitting[] | null {
    const { from, text } = textBefore(document, position, this.settings.suggestionWindow);
    return this.memory.find(sourceOf(document, from), text, withAlternatives);
  }

  private async ask(
    document: vscode.TextDocument,
    position: vscode.Position,
    automatic: boolean,
    cancellation: vscode.CancellationToken,
  ): Promise<SuggestResult> {
    const { from, text } = textBefore(document, position, this.settings.suggestionWindow);
    this.requests++;
    const result = await this.engine.suggest(
      {
        text,
        extent: this.settings.suggestionExtent,
        sampler: { temperature: this.settings.suggestionTemperature, topK: 0, topP: 1, minP: 0 },
        seed: text.length,
        count: automatic ? 1 : ALTERNATIVES,
        confidenceFloor: this.settings.suggestionConfidence,
        atLeast: automatic ? 0 : 1,
        maxTokens: this.settings.suggestionLength,
        windowTokens: this.settings.suggestionWindow,
        cacheBytes: this.settings.suggestionCacheBytes,
      },
      cancellation,
    );
    const { suggestions } = result;
    this.memory.add({ source: sourceOf(document, from), text, suggestions, withAlternatives: !automatic });
    this.noticeSlowness(result, automatic);
    return result;
  }

  private noticeSlowness({ firstTokenMs, readTokens }: SuggestResult, automatic: boolean): void {
    if (!automatic || readTokens > FEW_TOKENS) {
      return;
    }
    this.slowAnswers = firstTokenMs < this.settings.slowSuggestionMs ? 0 : this.slowAnswers + 1;
    if (this.slowAnswers !== SLOW_ANSWERS) {
      return;
    }
    const name = this.engine.loaded?.model.name ?? 'The model';
    void vscode.window.showInformationMessage(
      `${name} takes ${(firstTokenMs / 1000).toFixed(1)} s for a first token on this machine, so inline suggestions come only when you ask for them now (Trigger Inline Suggestion).`,
    );
  }

  private report({ code, message }: HeadlightError, automatic: boolean): void {
    if (code === 'cancelled') {
      return;
    }
    this.log.error(`Nothing was suggested: ${message}`);
    // Someone who asked wants to know each time; someone who types, once.
    if (!automatic || !this.saidWhatFailed) {
      this.saidWhatFailed ||= automatic;
      void vscode.window.showErrorMessage(`Headlight cannot suggest anything. ${message}`);
    }
  }

  private forget(): void {
    this.memory.clear();
    this.slowAnswers = 0;
    this.saidWhatFailed = false;
  }
}

/** Names a document and where the text of a request begins in it. */
function sourceOf({ uri }: vscode.TextDocument, from: number): string {
  return `${from} ${uri}`;
}

/** The rest of a suggestion, in the place of what is behind the caret where it ends with just that. */
function itemFor(
  document: vscode.TextDocument,
  position: vscode.Position,
  { suggestion, typed }: StillFitting,
): vscode.InlineCompletionItem {
  const text = suggestion.text.slice(typed);
  const behind = restOfLine(document, position).trimEnd();
  const replaces = behind !== '' && !text.includes('\n') && text.endsWith(behind);
  const end = replaces ? position.translate(0, behind.length) : position;
  return new vscode.InlineCompletionItem(text, new vscode.Range(position, end));
}

/** The character before a caret, or the place behind it. */
function isBeside(position: vscode.Position, caret: vscode.Position): boolean {
  return position.line === caret.line && Math.abs(position.character - caret.character) <= 1;
}

/** @returns false where it was cancelled meanwhile */
async function pause(ms: number, cancellation: vscode.CancellationToken): Promise<boolean> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    cancellation.onCancellationRequested(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  return !cancellation.isCancellationRequested;
}
