import type { InferenceSession } from 'onnxruntime-node';
import { HeadlightError } from '../../protocol/errors';
import type { Device, DeviceChoice, DeviceStatus } from '../../protocol/model';
import type { InstrumentedModel } from '../onnx/instrument';

export type Runtime = typeof import('onnxruntime-node');

/** What `auto` tries, in this order, until one works. */
const AUTO: readonly Device[] = ['cpu'];

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

/** A session and where it runs. */
export interface OpenedSession {
  readonly session: InferenceSession;
  readonly device: DeviceStatus;
}

/**
 * Opens a session on the device that was asked for, or for `auto` on the first that works.
 *
 * @param name the model's path, for the sentence of a failure
 * @throws HeadlightError `device-unavailable` where the device cannot be had, `model-invalid` where the runtime refuses
 * the model, `runtime-unavailable`
 */
export async function openSession(
  model: InstrumentedModel,
  choice: DeviceChoice,
  name: string,
): Promise<OpenedSession> {
  const passedOver: string[] = [];
  for (const device of choice === 'auto' ? AUTO : [choice]) {
    try {
      const session = await createSession(model, name, { executionProviders: [device], graphOptimizationLevel: 'all' });
      return { session, device: { device, reason: passedOver.join(' ') || null } };
    } catch (error) {
      if (device === 'cpu' || !(error instanceof HeadlightError) || error.code !== 'model-invalid') {
        throw error;
      }
      // A session of its own device fails for the device's sake: models that the runtime refuses, cpu refuses as well.
      passedOver.push(`The device ${device} cannot be used here (${firstLine(error.cause)}).`);
    }
  }
  throw new HeadlightError('device-unavailable', `${passedOver.join(' ')} Choose the device "auto" or "cpu".`);
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

/** Opens a session on the processor for a model without weights. */
export async function openSmallSession(bytes: Uint8Array, name: string): Promise<InferenceSession> {
  const runtime = await loadRuntime();
  return runtime.InferenceSession.create(bytes, { executionProviders: ['cpu'], logSeverityLevel: LOG_FATAL }).catch(
    refused(name),
  );
}

async function createSession(
  { bytes, folder }: InstrumentedModel,
  name: string,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  const runtime = await loadRuntime();
  const session = { ...(options.extra?.session as object), model_external_initializers_file_folder_path: folder };
  return runtime.InferenceSession.create(bytes, {
    ...options,
    logSeverityLevel: LOG_FATAL,
    extra: { ...options.extra, session },
  }).catch(refused(name));
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
