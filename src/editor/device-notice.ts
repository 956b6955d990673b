import * as vscode from 'vscode';

/** Tells that the model does not run on the device that was asked for, and offers to look into it. */
export async function showDeviceNotice(sentence: string): Promise<void> {
  const check = 'Check Device…';
  const settings = 'Settings';
  const chosen = await vscode.window.showWarningMessage(sentence, check, settings);
  if (chosen === check) {
    await vscode.commands.executeCommand('headlight.checkDevice');
  } else if (chosen === settings) {
    await vscode.commands.executeCommand('workbench.action.openSettings', 'headlight.device');
  }
}
