import os from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { FileKind, SaveParams } from '../protocol/panel';

const FILTERS: Readonly<Record<FileKind, string>> = {
  csv: 'Comma-separated values',
  json: 'JSON',
  svg: 'SVG picture',
  png: 'PNG picture',
  npy: 'NumPy array',
};

/**
 * Asks where to, and writes a file there.
 *
 * @param beside a document whose folder is proposed, where there is one
 * @returns the file's name; null where nothing was written
 */
export async function saveFile(
  { name, kind, content }: SaveParams,
  beside: vscode.Uri | null,
): Promise<{ readonly savedAs: string | null }> {
  // The name is of the panel's making, but it carries names of models and files.
  const fileName = `${name.replace(/[^\p{L}\p{N}._]+/gu, '-').replace(/^[.-]+/, '')}.${kind}`;
  const uri = await vscode.window.showSaveDialog({
    defaultUri: vscode.Uri.joinPath(proposedFolder(beside), fileName),
    filters: { [FILTERS[kind]]: [kind] },
    title: 'Save from Headlight',
  });
  if (uri === undefined) {
    return { savedAs: null };
  }
  try {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    await vscode.workspace.fs.writeFile(uri, bytes);
    return { savedAs: path.posix.basename(uri.path) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    void vscode.window.showErrorMessage(
      `Headlight could not write ${path.posix.basename(uri.path)} (${why}); choose another place.`,
    );
    return { savedAs: null };
  }
}

/** The document's folder, where files can be written there; else the workspace's, else the user's own. */
function proposedFolder(document: vscode.Uri | null): vscode.Uri {
  return document !== null && vscode.workspace.fs.isWritableFileSystem(document.scheme) === true
    ? vscode.Uri.joinPath(document, '..')
    : (vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(os.homedir()));
}
