import type { InferenceSession } from 'onnxruntime-node';
import { DEVICE_NAMES, type Device } from '../../protocol/device';
import { HeadlightError } from '../../protocol/errors';
import type { GraphNode } from '../onnx/graph';
import type { InstrumentedModel } from '../onnx/instrument';

export type Runtime = typeof import('onnxruntime-node');

/** The runtime writes to standard error. Its warnings are about its own optimisations, its errors are thrown as well. */
const LOG_FATAL = 4;

/**
 * The native runtime, loaded when it is first needed.
 *
 * @throws HeadlightError `runtime-unavailable` where its binary is absent or not for this platform
 */
export async function loadRuntime(): Promise<Runtime> {
  try {
    const runtime = await import('onnxruntime-node');
    runtime.env.logLevel = 'fatal';
    return runtime;
  } catch (cause) {
    throw new HeadlightError(
      'runtime-unavailable',
      `ONNX Runtime cannot be loaded on ${process.platform}-${process.arch} (${firstLine(cause)}); install the Headlight ` +
        'package for this platform.',
      { cause },
    );
  }
}

let denormalsAreZero = false;

/**
 * Takes numbers below 1.2e-38 for zero from the next session on. The softmax of a head that looks at one token is full of
 * them, and a processor computes with each a hundred times as long. Only for a process that does nothing but run models:
 * its first session sets it for everything that its thread computes.
 */
export function takeDenormalsForZero(): void {
  denormalsAreZero = true;
}

export interface SessionOptions {
  readonly device: Device;
  /** The model's path, for the sentence of a failure. */
  readonly name: string;
  /** Of the model, to find those that a device computes too coarsely. */
  readonly nodes: readonly GraphNode[];
  /** Where the runtime writes what each operator took, as `PROFILE_DATE.json`; it writes nothing without. */
  readonly profile?: string | undefined;
}

/**
 * Cosine and sine are good to three digits only in WebGPU (https://www.w3.org/TR/WGSL/#concrete-float-accuracy: 2^-11). A
 * decoder turns its queries and keys by them: a number of each position, which takes the processor no time.
 */
const INEXACT_ON_WEBGPU: ReadonlySet<string> = new Set(['Cos', 'Sin']);

function providerOf(device: Device, nodes: readonly GraphNode[]): InferenceSession.ExecutionProviderConfig {
  const inexact = nodes.flatMap(({ opType, name }) => (INEXACT_ON_WEBGPU.has(opType) && name !== '' ? [name] : []));
  // The runtime refuses an empty list.
  return device === 'webgpu' && inexact.length > 0 ? { name: device, forceCpuNodeNames: inexact } : device;
}

/**
 * Opens a session on a device. The runtime puts what that device cannot compute on the processor, but takes no other device
 * in its place (see devices/).
 *
 * Results are always fetched into the processor's memory: no session may leave a tensor on its device
 * (`preferredOutputLocation`), since asking such a tensor for its numbers ends the process.
 *
 * @throws HeadlightError `device-unavailable` where the device cannot be had or does not take the model, `model-invalid`
 * where the processor does not take it, `runtime-unavailable`
 */
export async function openSession(
  model: InstrumentedModel,
  { device, name, nodes, profile }: SessionOptions,
): Promise<InferenceSession> {
  await checkAvailable(device);
  try {
    return await createSession(model, name, {
      executionProviders: [providerOf(device, nodes)],
      graphOptimizationLevel: 'all',
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    });
  } catch (error) {
    // A session on another device fails for the device's sake: models that the runtime refuses, the processor refuses as well.
    throw device !== 'cpu' && error instanceof HeadlightError && error.code === 'model-invalid'
      ? unavailable(device, error.cause)
      : error;
  }
}

/** @throws HeadlightError `device-unavailable` where the runtime was built without it */
async function checkAvailable(device: Device): Promise<void> {
  const { listSupportedBackends } = await loadRuntime();
  if (!listSupportedBackends().some(({ name }) => name === device)) {
    throw new HeadlightError(
      'device-unavailable',
      `${DEVICE_NAMES[device]} is not part of the runtime for ${process.platform}-${process.arch}`,
    );
  }
}

function unavailable(device: Device, cause: unknown): HeadlightError {
  const name = DEVICE_NAMES[device];
  const why = firstLine(cause);
  const sentence = /no supported adapters|failed to get a webgpu adapter/i.test(why)
    ? `no ${name} adapter`
    : isOutOfMemory(why)
      ? `${name} has too little memory for this model`
      : `${name} cannot be started (${why.replace(SOURCE_PLACE, '')})`;
  return new HeadlightError('device-unavailable', sentence, { cause });
}

/** The runtime's source file, function and failed condition, which stand before what it says. */
const SOURCE_PLACE = /^\/\S+:\d+ .* was false\. /;

function isOutOfMemory(why: string): boolean {
  return /out of memory|outofmemory|OOM|failed to allocate|bad allocation/i.test(why);
}

/** What became of a run. On another device than the processor it is the device's failure until the processor fails too. */
export function runFailure(device: Device, graphFile: string, cause: unknown): HeadlightError {
  const why = firstLine(cause);
  if (device === 'cpu') {
    return new HeadlightError('internal', `${graphFile} stopped while it was run (${why}).`, { cause });
  }
  const what = isOutOfMemory(why) ? 'ran out of memory' : `was lost while it ran (${why.replace(SOURCE_PLACE, '')})`;
  return new HeadlightError('device-lost', `${DEVICE_NAMES[device]} ${what}`, { cause });
}

/**
 * Opens a session on the processor for a model that is run once: nothing is optimised, so that it opens in a tenth of
 * the time.
 */
export function openPlainSession(model: InstrumentedModel, name: string): Promise<InferenceSession> {
  const open = (graphOptimizationLevel: 'disabled' | 'basic') =>
    createSession(model, name, {
      executionProviders: ['cpu'],
      graphOptimizationLevel,
      extra: { session: { disable_prepacking: '1' } },
    });
  // Without any optimisation the runtime does not take back all of the casts that it puts into half-precision graphs.
  return open('disabled').catch(() => open('basic'));
}

/**
 * Opens a session on the processor for a part of a model that is run now and then: constants are computed once, weights
 * are used where they lie in the file, and no memory is held between runs.
 */
export function openSliceSession(model: InstrumentedModel, name: string): Promise<InferenceSession> {
  return createSession(model, name, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    enableCpuMemArena: false,
    // Threads that wait busily for the next part would take the processor from the model itself.
    extra: { session: { disable_prepacking: '1', intra_op: { allow_spinning: '0' } } },
  });
}

/**
 * The runtime makes one operator of a product and its integer weights (DequantizeLinear), and unless told otherwise rounds
 * what goes in to eight bits as well: 1 keeps it float32, as the model says.
 */
const FLOAT_PRODUCTS = '1';

/** Opens a session on the processor for a model without weights. */
export async function openSmallSession(bytes: Uint8Array, name: string): Promise<InferenceSession> {
  const runtime = await loadRuntime();
  return runtime.InferenceSession.create(bytes, {
    executionProviders: ['cpu'],
    logSeverityLevel: LOG_FATAL,
    extra: { session: arithmetic() },
  }).catch(refused(name));
}

async function createSession(
  { bytes, folder }: InstrumentedModel,
  name: string,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  const runtime = await loadRuntime();
  const session = {
    ...arithmetic(),
    ...(options.extra?.session as object),
    model_external_initializers_file_folder_path: folder,
    qdq_matmulnbits_accuracy_level: FLOAT_PRODUCTS,
  };
  return runtime.InferenceSession.create(bytes, {
    ...options,
    logSeverityLevel: LOG_FATAL,
    extra: { ...options.extra, session },
  }).catch(refused(name));
}

function arithmetic() {
  return { set_denormal_as_zero: denormalsAreZero ? '1' : '0', force_spinning_stop: '1' };
}

function refused(name: string): (cause: unknown) => never {
  return (cause) => {
    throw new HeadlightError('model-invalid', `ONNX Runtime does not accept ${name} (${firstLine(cause)}).`, { cause });
  };
}

/** The runtime adds stack traces to its messages. */
export function firstLine(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).split('\n', 1)[0].trim();
}
