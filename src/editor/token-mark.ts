import * as vscode from 'vscode';
import type { Inspection } from './inspection';

/** Outlines in the editor the token that the pointer is on in the panel. */
export class TokenMark implements vscode.Disposable {
  private readonly decoration = vscode.window.createTextEditorDecorationType({
    borderWidth: '1px',
    borderStyle: 'solid',
    borderColor: new vscode.ThemeColor('headlight.tokenMark'),
    borderRadius: '2px',
  });

  constructor(private readonly inspection: Inspection) {}

  /** @param index of the token in the trace on the screen; null marks none */
  show(index: number | null): void {
    const place = index === null ? null : this.inspection.locate(index);
    for (const editor of vscode.window.visibleTextEditors) {
      editor.setDecorations(this.decoration, place !== null && editor.document === place.document ? [place.range] : []);
    }
  }

  dispose(): void {
    this.decoration.dispose();
  }
}
