import { fileURLToPath } from 'node:url';
import { DeviceChooser } from '../engine/devices/device-chooser';
import { Inspector } from '../engine/inspect/inspector';
import { DEVICE_NAMES, type DeviceChoice, type DeviceStatus } from '../protocol/device';
import { HeadlightError } from '../protocol/errors';
import { renderDevicePage } from './device-page';

/** Beside the command line's own bundle. */
const ENGINE = fileURLToPath(new URL('./server.mjs', import.meta.url));

/** Devices as the command line uses them: tried in a process that may die, and left for the processor where they fail. */
export class CommandLineDevices {
  private readonly chooser = new DeviceChooser({
    entryPoint: ENGINE,
    // The scripts name a folder; without one nothing is remembered from one run to the next.
    storage: process.env.HEADLIGHT_STORAGE ?? null,
    log: () => {},
    cudaFolder: () => process.env.HEADLIGHT_CUDA_FOLDER ?? null,
  });

  constructor(private readonly directory: string) {}

  /**
   * What this process would need in its environment, from its start on, to find the libraries of such a device; null where it
   * has it.
   */
  missingEnvironment(choice: DeviceChoice): NodeJS.ProcessEnv | null {
    const { environment } = this.chooser;
    const isNeeded = choice === 'auto' || choice === 'cuda';
    return isNeeded && environment.LD_LIBRARY_PATH !== process.env.LD_LIBRARY_PATH ? environment : null;
  }

  /** Uses the model on the device that is chosen for it. */
  async use<T>(choice: DeviceChoice, work: (inspector: Inspector) => Promise<T>): Promise<T> {
    const { notice, device, reason } = await this.chooser.choose(this.directory, choice);
    if (notice !== null) {
      tell(notice);
    }
    try {
      return await this.useOn({ device, reason }, work);
    } catch (error) {
      const { code, message } = HeadlightError.from(error);
      if (device === 'cpu' || (code !== 'device-lost' && code !== 'device-unavailable')) {
        throw error;
      }
      tell(`Headlight runs the model on the processor: ${message}.`);
      return this.useOn({ device: 'cpu', reason: message }, work);
    }
  }

  /** What a check of the device found, as a page or as JSON. */
  async check(choice: DeviceChoice, json: boolean): Promise<string> {
    const checks = [];
    for (const device of choice === 'auto' ? this.chooser.automatic : [choice]) {
      if (device === 'cpu') {
        throw new HeadlightError(
          'argument-invalid',
          `The ${DEVICE_NAMES.cpu} is what other devices are held against; name one of them with --device.`,
        );
      }
      checks.push(await this.chooser.check(this.directory, device));
    }
    return json ? `${JSON.stringify(checks, null, 2)}\n` : checks.map(renderDevicePage).join('\n');
  }

  private async useOn<T>({ device, reason }: DeviceStatus, work: (inspector: Inspector) => Promise<T>): Promise<T> {
    const inspector = await Inspector.open({ directory: this.directory, device, deviceReason: reason });
    try {
      return await work(inspector);
    } finally {
      await inspector.dispose();
    }
  }
}

function tell(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}
