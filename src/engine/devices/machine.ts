import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { cpus, homedir, release } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

/** What the operating system tells of a machine's graphics without starting them. */
export interface Machine {
  /** Such as `NVIDIA GeForce RTX 4070`, or what stands for it where no name is known. */
  readonly adapters: readonly string[];
  /** Such as `nvidia 550.120`. */
  readonly drivers: readonly string[];
  /** Changes when one of these changes, or anything else that a trial's outcome depends on. */
  readonly key: string;
}

/** The registry's class of display adapters. */
const DISPLAY_CLASS = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Class\\{4d36e968-e325-11ce-bfc1-08002be10318}';

/** @param runtimeVersion of ONNX Runtime */
export async function describeMachine(runtimeVersion: string): Promise<Machine> {
  const { adapters, drivers, other } = await graphics();
  const facts = [process.platform, process.arch, release(), runtimeVersion, ...adapters, ...drivers, ...other];
  return { adapters, drivers, key: createHash('sha256').update(JSON.stringify(facts)).digest('hex') };
}

interface Graphics {
  readonly adapters: readonly string[];
  readonly drivers: readonly string[];
  /** What tells one state of the machine from another and nothing to people. */
  readonly other: readonly string[];
}

function graphics(): Graphics | Promise<Graphics> {
  switch (process.platform) {
    case 'linux':
      return linuxGraphics();
    case 'win32':
      return windowsGraphics();
    default:
      // On a Mac the driver comes with the system.
      return { adapters: [cpus()[0]?.model ?? 'unknown'], drivers: [`Metal of Darwin ${release()}`], other: [] };
  }
}

function linuxGraphics(): Graphics {
  const pci = '/sys/bus/pci/devices';
  const adapters: string[] = [];
  const drivers = new Set<string>();
  for (const device of namesIn(pci)) {
    const file = (name: string) => path.join(pci, device, name);
    // The class of display controllers.
    if (textOf(file('class'))?.startsWith('0x03')) {
      adapters.push(`PCI ${textOf(file('vendor'))?.slice(2)}:${textOf(file('device'))?.slice(2)}`);
      const driver = linkOf(file('driver'));
      if (driver !== null) {
        drivers.add([driver, textOf(`/sys/module/${driver}/version`) ?? ''].join(' ').trim());
      }
    }
  }
  const manifests = vulkanManifests();
  const libraries = manifests.map((manifest) => libraryOf(manifest));
  for (const library of libraries) {
    drivers.add(`Vulkan ${path.basename(library)}`);
  }
  return { adapters, drivers: [...drivers], other: [...manifests, ...libraries, ...vulkanLoaders()].map(stamp) };
}

/** The files that name the Vulkan drivers, where the Vulkan loader looks for them. */
function vulkanManifests(): readonly string[] {
  const { env } = process;
  const named = env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES;
  if (named !== undefined) {
    return named.split(path.delimiter).filter((file) => file !== '');
  }
  const folders = [
    env.XDG_CONFIG_HOME ?? path.join(homedir(), '.config'),
    ...(env.XDG_CONFIG_DIRS ?? '/etc/xdg').split(':'),
    '/etc',
    env.XDG_DATA_HOME ?? path.join(homedir(), '.local/share'),
    ...(env.XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(':'),
    '/run/opengl-driver/share',
  ].map((folder) => path.join(folder, 'vulkan/icd.d'));
  return [...new Set(folders)].flatMap((folder) =>
    namesIn(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => path.join(folder, name)),
  );
}

function libraryOf(manifest: string): string {
  try {
    const library: string = JSON.parse(readFileSync(manifest, 'utf8')).ICD.library_path;
    return library.includes('/') ? path.resolve(path.dirname(manifest), library) : library;
  } catch {
    return manifest;
  }
}

/** Without a loader no driver is found. */
function vulkanLoaders(): readonly string[] {
  const folders = ['/lib', '/usr/lib', '/lib64', '/usr/lib64', '/usr/local/lib'];
  const machine = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch as string];
  return [...folders, ...(machine ? [`/usr/lib/${machine}`] : [])]
    .map((folder) => path.join(folder, 'libvulkan.so.1'))
    .filter((file) => existsSync(file));
}

async function windowsGraphics(): Promise<Graphics> {
  const reg = path.join(process.env.SystemRoot ?? 'C:\\Windows', 'System32', 'reg.exe');
  const { stdout } = await promisify(execFile)(reg, ['query', DISPLAY_CLASS, '/s', '/f', 'Driver*', '/v'], {
    timeout: 5000,
  }).catch(() => ({ stdout: '' }));
  return parseRegistry(stdout);
}

/** The adapters and drivers in what `reg query` prints of the class of display adapters. */
export function parseRegistry(text: string): Graphics {
  const adapters: string[] = [];
  const drivers: string[] = [];
  for (const [, name, value] of text.matchAll(/^\s+(DriverDesc|DriverVersion)\s+REG_SZ\s+(.*?)\s*$/gm)) {
    (name === 'DriverDesc' ? adapters : drivers).push(value);
  }
  return { adapters, drivers, other: [] };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}

function linkOf(file: string): string | null {
  try {
    return path.basename(readlinkSync(file));
  } catch {
    return null;
  }
}

/** A file with what changes when it is replaced. */
function stamp(file: string): string {
  try {
    const { size, mtimeMs } = statSync(realpathSync(file));
    return `${file} ${size} ${mtimeMs}`;
  } catch {
    return file;
  }
}
