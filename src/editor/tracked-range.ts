import * as vscode from 'vscode';

/**
 * A range of a document that moves along with edits. An edit inside of it, or across one of its ends, marks it as
 * edited: what was computed for its text is no longer about the text that stands there.
 */
export class TrackedRange {
  private currentStart: number;
  private currentEnd: number;
  private currentEdited = false;

  constructor(
    readonly document: vscode.TextDocument,
    range: vscode.Range,
  ) {
    this.currentStart = document.offsetAt(range.start);
    this.currentEnd = document.offsetAt(range.end);
  }

  get start(): number {
    return this.currentStart;
  }

  get end(): number {
    return this.currentEnd;
  }

  get edited(): boolean {
    return this.currentEdited;
  }

  get range(): vscode.Range {
    return new vscode.Range(this.document.positionAt(this.currentStart), this.document.positionAt(this.currentEnd));
  }

  /** @returns whether the range or its state has changed */
  apply(event: vscode.TextDocumentChangeEvent): boolean {
    if (event.document !== this.document || event.contentChanges.length === 0) {
      return false;
    }
    // All of an event's changes are given in the coordinates before it; from the last to the first they do not disturb each other.
    const changes = [...event.contentChanges].sort((a, b) => b.rangeOffset - a.rangeOffset);
    for (const { rangeOffset, rangeLength, text } of changes) {
      const growth = text.length - rangeLength;
      const changeEnd = rangeOffset + rangeLength;
      if (rangeOffset >= this.currentEnd) {
        continue;
      }
      if (changeEnd <= this.currentStart) {
        this.currentStart += growth;
        this.currentEnd += growth;
        continue;
      }
      this.currentEdited = true;
      this.currentStart = Math.min(this.currentStart, rangeOffset);
      this.currentEnd = Math.max(this.currentEnd, changeEnd) + growth;
    }
    return true;
  }
}
