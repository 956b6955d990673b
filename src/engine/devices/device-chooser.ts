import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { CancellationToken } from 'vscode-jsonrpc';
import {
  DEVICE_NAMES,
  type Device,
  type DeviceChoice,
  type DeviceProof,
  type DeviceStatus,
} from '../../protocol/device';
import { cudaEnvironment } from './cuda-libraries';
import { describeMachine, type Machine } from './machine';
import { DeviceMemory, type Outcome } from './memory';
import type { Patience } from './model-process';
import { stampOfModel } from './model-stamp';
import { areSoftware, softwareOnly } from './software-adapters';
import { type TrialLimits, type TrialResult, type Tried, tryDevice } from './trial';

export interface DeviceChooserOptions {
  /** Path of the engine's entry point. */
  readonly entryPoint: string;
  /** A folder for what is remembered; null remembers as long as this object lives. */
  readonly storage: string | null;
  readonly log: (line: string) => void;
  /** A folder with CUDA libraries, asked for at each choice; null where none is named. */
  readonly cudaFolder?: () => string | null;
  readonly limits?: Partial<Limits>;
}

interface Limits extends TrialLimits {
  /** A run of a model that was chosen to run on a device, beside what its tokens take. */
  readonly run: number;
}

/** A device that was chosen. */
export interface Chosen extends DeviceStatus {
  /** How long it may take; null for the processor. */
  readonly patience: Patience | null;
  /** What a person should hear of it, as a sentence; null where nothing unexpected happened. */
  readonly notice: string | null;
}

/** All that a check of a device found. */
export interface DeviceCheck {
  readonly device: Device;
  /** Why the device cannot be used, as a phrase; null where it can. */
  readonly problem: string | null;
  readonly proof: DeviceProof | null;
  readonly adapters: readonly string[];
  readonly drivers: readonly string[];
  readonly runtimeVersion: string;
}

/** What `auto` tries, in this order. DirectML and Core ML are for those who choose them. */
const AUTO: readonly Device[] = ['cuda', 'webgpu'];
const LIMITS: Limits = { probe: 20_000, proof: 60_000, run: 30_000 };
/** Where the device was asked for by name, or a check of it, one waits longer. */
const PATIENT_PROOF = 300_000;
/**
 * A run is waited for so many times as long as the slower of device and processor took for as many tokens of the golden prompt:
 * a token in a long text looks at many, and the machine may be busy.
 */
const TIMES_THE_TRIAL = 20;

/**
 * Chooses where a model runs. A device is used only where it was tried with that very model and gave the processor's
 * numbers; what came of it is remembered, so that the next start takes no time for it.
 */
export class DeviceChooser {
  private readonly memory: DeviceMemory;
  private foundRuntime: { readonly folder: string; readonly version: string } | null = null;

  constructor(private readonly options: DeviceChooserOptions) {
    const { storage } = options;
    this.memory = new DeviceMemory(storage === null ? null : path.join(storage, 'devices.json'));
  }

  /** For every process that runs a model. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.cuda };
  }

  /** What `auto` would try on this machine, in order. */
  get automatic(): readonly Device[] {
    return AUTO.filter((device) => device !== 'cuda' || this.cuda !== null);
  }

  /**
   * The device for a model, which is tried first where that was not done before.
   *
   * @param onTry before something is tried that takes a while
   * @throws HeadlightError `cancelled`; and what is wrong with the model itself
   */
  async choose(
    directory: string,
    choice: DeviceChoice,
    cancellation?: CancellationToken,
    onTry?: (device: Device) => void,
  ): Promise<Chosen> {
    const machine = await this.machine();
    const model = await fingerprint(directory);
    const chosen = await this.decide(machine, model, choice, async (device, limit) => {
      onTry?.(device);
      const tried = { directory, device, profile: false, software: choice !== 'auto' };
      return (await this.try(machine, model, tried, limit, cancellation)).outcome;
    });
    return chosen!;
  }

  /** The same where nothing has to be tried for it; null where something has. */
  async remembered(directory: string, choice: DeviceChoice): Promise<Chosen | null> {
    return this.decide(await this.machine(), await fingerprint(directory), choice, null);
  }

  /** @param tryDevice what to do where nothing is known of a device; with null nothing is decided then */
  private async decide(
    machine: Machine,
    model: string,
    choice: DeviceChoice,
    tryDevice: ((device: Device, limit: number) => Promise<Outcome>) | null,
  ): Promise<Chosen | null> {
    if (choice === 'cpu') {
      return { device: 'cpu', reason: null, notice: null, patience: null };
    }
    const problems: string[] = [];
    let notice: string | null = null;
    for (const device of choice === 'auto' ? this.automatic : [choice]) {
      const names = [device, `${device} ${model}`, ...(choice === 'auto' ? [`${device} software`] : [])];
      const known = names.map((name) => this.memory.get(machine.key, name)).find((outcome) => outcome !== null) ?? null;
      const limit = choice === 'auto' ? this.limits.proof : Math.max(PATIENT_PROOF, this.limits.proof);
      if (known === null && tryDevice === null) {
        return null;
      }
      const outcome = known ?? (await tryDevice!(device, limit));
      const problem = outcome.problem ?? (choice === 'auto' ? slowness(device, outcome) : null);
      if (problem === null) {
        const { run } = this.limits;
        const patience = { opening: limit, run, token: TIMES_THE_TRIAL * (outcome.msPerToken ?? 0) };
        return { device, reason: problems.join('; ') || null, notice, patience };
      }
      this.options.log(`${DEVICE_NAMES[device]} is not used: ${problem}${known === null ? '' : ' (as found before)'}`);
      problems.push(problem);
      if (choice !== 'auto' || (known === null && isWrong(problem))) {
        notice = `Headlight runs the model on the processor: ${problem}.`;
      }
    }
    return { device: 'cpu', reason: problems.join('; ') || null, notice, patience: null };
  }

  /**
   * Tries a device anew, whatever is remembered of it, and finds out all there is to know.
   *
   * @throws as `choose`
   */
  async check(directory: string, device: Device, cancellation?: CancellationToken): Promise<DeviceCheck> {
    const machine = await this.machine();
    this.memory.forget(machine.key, device);
    const tried = { directory, device, profile: true, software: true };
    const model = await fingerprint(directory);
    const { outcome, result } = await this.try(machine, model, tried, PATIENT_PROOF, cancellation);
    return {
      device,
      problem: outcome.problem,
      proof: result.proof,
      adapters: result.adapters.length > 0 ? result.adapters : machine.adapters,
      drivers: machine.drivers,
      runtimeVersion: this.runtime.version,
    };
  }

  private async try(
    machine: Machine,
    model: string,
    tried: Tried,
    proofLimit: number,
    cancellation: CancellationToken | undefined,
  ): Promise<{ readonly outcome: Outcome; readonly result: TrialResult }> {
    const { entryPoint, log } = this.options;
    // Where the system knows adapters by name, which Windows does.
    if (!tried.software && areSoftware(machine.adapters)) {
      const problem = softwareOnly(DEVICE_NAMES[tried.device], machine.adapters);
      return {
        outcome: { problem, slowdown: null, msPerToken: null },
        result: { problem, scope: 'software', proof: null, adapters: [] },
      };
    }
    log(`trying ${DEVICE_NAMES[tried.device]}`);
    const limits = { ...this.limits, proof: proofLimit };
    const result = await tryDevice({ entryPoint, log, env: this.environment, limits }, tried, cancellation);
    const outcome = judge(tried.device, result);
    const { device } = tried;
    const names = { device, model: `${device} ${model}`, software: `${device} software` };
    this.memory.set(machine.key, names[result.scope], outcome);
    return { outcome, result };
  }

  private get runtime() {
    this.foundRuntime ??= findRuntime(this.options.entryPoint);
    return this.foundRuntime;
  }

  private get limits(): Limits {
    return { ...LIMITS, ...this.options.limits };
  }

  private machine(): Promise<Machine> {
    return describeMachine(`${this.runtime.version} ${JSON.stringify(this.cuda)}`);
  }

  /** Null where there are no CUDA libraries. */
  private get cuda(): NodeJS.ProcessEnv | null {
    const { storage, cudaFolder } = this.options;
    return cudaEnvironment(this.runtime.folder, cudaFolder?.() ?? null, storage && path.join(storage, 'cuda'));
  }
}

/** Where the runtime is that an engine loads. */
function findRuntime(entryPoint: string): { readonly folder: string; readonly version: string } {
  const manifest = createRequire(entryPoint).resolve('onnxruntime-node/package.json');
  return {
    folder: path.join(path.dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch),
    version: JSON.parse(readFileSync(manifest, 'utf8')).version,
  };
}

async function fingerprint(directory: string): Promise<string> {
  return createHash('sha256')
    .update(await stampOfModel(directory))
    .digest('hex');
}

function judge(device: Device, { problem, proof }: TrialResult): Outcome {
  if (proof === null) {
    return { problem, slowdown: null, msPerToken: null };
  }
  const { device: times, cpu } = proof.times;
  return {
    problem: wrongness(device, proof),
    slowdown: (times.prompt + times.step) / (cpu.prompt + cpu.step),
    msPerToken: Math.max(times.prompt, cpu.prompt) / proof.tokens,
  };
}

const WRONG = 'gives wrong numbers';

function isWrong(problem: string): boolean {
  return problem.includes(WRONG);
}

/** What is wrong with a device's numbers, as a phrase; null where nothing is. */
function wrongness(device: Device, { differences, tolerance }: DeviceProof): string | null {
  const { logits, attention, step } = differences;
  const figure = (value: number) => (Number.isFinite(value) ? value.toExponential(1) : 'beyond measure');
  const found = [
    { value: logits, what: 'logits differ from the processor’s', of: ' of the largest' },
    { value: attention ?? 0, what: 'attention weights differ from the processor’s', of: '' },
    { value: step, what: 'logits from its cache differ from the processor’s', of: ' of the largest' },
  ].find(({ value }) => !(value <= tolerance));
  return found === undefined
    ? null
    : `${DEVICE_NAMES[device]} ${WRONG}: ${found.what} by ${figure(found.value)}${found.of}, ${tolerance} is allowed`;
}

/** Why `auto` passes over a device that works, as a phrase; null where it does not. */
function slowness(device: Device, { slowdown }: Outcome): string | null {
  return slowdown === null || slowdown < 1
    ? null
    : `${DEVICE_NAMES[device]} is slower here: ${slowdown.toFixed(slowdown < 10 ? 1 : 0)} × the processor’s time for this model`;
}
