import { DEVICE_NAMES, type Device } from '../../protocol/device';
import { HeadlightError } from '../../protocol/errors';
import { encodeModel } from '../onnx/build';
import { DataType } from '../onnx/data-type';
import { DeviceSession } from './device-session';
import { loadRuntime } from './providers';

/** [2, 2] */
const INPUT = [1, 2, 3, 4];
const SQUARED = [7, 10, 15, 22];

/**
 * Starts a device and has it multiply two small matrices. A driver that does not work may end the process here, or never
 * come back.
 *
 * @throws HeadlightError `device-unavailable`, `device-lost`, as phrases that tell why
 */
export async function probeDevice(device: Device): Promise<void> {
  const { Tensor } = await loadRuntime();
  const matrix = { elementType: DataType.Float32, dims: [2, 2] };
  const bytes = encodeModel({
    irVersion: 8,
    opsets: [['', 17]],
    graph: {
      nodes: [{ opType: 'MatMul', inputs: ['x', 'x'], outputs: ['y'] }],
      inputs: [{ name: 'x', ...matrix }],
      outputs: [{ name: 'y', ...matrix }],
    },
  }).finish();
  const name = 'the product of two small matrices';
  const session = await DeviceSession.open({ bytes, folder: '' }, { device, name, nodes: [] });
  try {
    const { y } = await session.run({ x: new Tensor('float32', Float32Array.from(INPUT), [2, 2]) }, ['y'], 0);
    const product = y.data as Float32Array;
    if (SQUARED.some((value, index) => product[index] !== value)) {
      const got = [...product].map((value) => value.toPrecision(4)).join(', ');
      throw new HeadlightError(
        'device-unavailable',
        `${DEVICE_NAMES[device]} gives wrong numbers: ${got} for a product that is ${SQUARED.join(', ')}`,
      );
    }
  } finally {
    await session.release();
  }
}
