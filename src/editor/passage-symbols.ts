import * as vscode from 'vscode';
import type { PassageSymbol } from '../protocol/panel';

/**
 * The symbols of a part of a document, as the editor's language support gives them: parents before their children.
 *
 * @param start of the part, in UTF-16 code units; `end` likewise
 * @returns none where nothing knows the document's symbols
 */
export async function passageSymbols(
  document: vscode.TextDocument,
  start: number,
  end: number,
): Promise<PassageSymbol[]> {
  const found = await vscode.commands.executeCommand<
    readonly (vscode.DocumentSymbol | vscode.SymbolInformation)[] | undefined
  >('vscode.executeDocumentSymbolProvider', document.uri);
  const symbols: PassageSymbol[] = [];
  const take = (symbol: vscode.DocumentSymbol | vscode.SymbolInformation) => {
    const range = 'location' in symbol ? symbol.location.range : symbol.range;
    const from = Math.max(start, document.offsetAt(range.start));
    const to = Math.min(end, document.offsetAt(range.end));
    if (from < to) {
      symbols.push({ name: symbol.name, start: from - start, end: to - start });
    }
    if ('children' in symbol) {
      symbol.children.forEach(take);
    }
  };
  found?.forEach(take);
  return symbols;
}
