import * as vscode from 'vscode';
import { checkPage } from '../engine/devices/check-page';
import { DEVICE_NAMES, type Device } from '../protocol/device';
import { HeadlightError } from '../protocol/errors';
import { deviceMarkdown } from './device-markdown';
import type { Engine } from './engine';
import type { MarkdownPages } from './markdown-pages';

/** What each device is for, by the platforms whose runtime has it. */
const OFFERED: readonly { readonly device: Device; readonly detail: string; readonly platforms: readonly string[] }[] =
  [
    {
      device: 'webgpu',
      detail: 'GPUs through Vulkan, Direct3D 12 or Metal',
      platforms: ['linux', 'win32', 'darwin'],
    },
    { device: 'cuda', detail: 'NVIDIA GPUs, with libraries that are installed separately', platforms: ['linux'] },
    { device: 'dml', detail: 'GPUs through DirectML', platforms: ['win32'] },
    { device: 'coreml', detail: 'GPU and neural engine, through Core ML', platforms: ['darwin'] },
  ];

/**
 * `Headlight: Check Device…`: tries a device with the model, whatever is remembered of it, and shows how its numbers and
 * times compare with the processor's.
 */
export async function showDevicePage(engine: Engine, pages: MarkdownPages): Promise<void> {
  const device = await askForDevice();
  if (device === undefined) {
    return;
  }
  const name = DEVICE_NAMES[device];
  const title = `Headlight: trying ${name} with this model`;
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  try {
    const check = await vscode.window.withProgress(options, (_, cancellation) =>
      engine.checkDevice(device, cancellation),
    );
    await pages.show(`Device ${name}`, deviceMarkdown(name, checkPage(check)));
  } catch (thrown) {
    const { code, message } = HeadlightError.from(thrown);
    if (code !== 'cancelled') {
      void vscode.window.showErrorMessage(message);
    }
  }
}

async function askForDevice(): Promise<Device | undefined> {
  const items = OFFERED.filter(({ platforms }) => platforms.includes(process.platform)).map(({ device, detail }) => ({
    label: DEVICE_NAMES[device],
    detail,
    device,
  }));
  const chosen = await vscode.window.showQuickPick(items, { title: 'Which device should be tried with the model?' });
  return chosen?.device;
}
