import assert from 'node:assert/strict';
import { describeMachine, parseRegistry } from '../../../../src/engine/devices/machine';

describe('the machine that devices are tried on', () => {
  it('is the same until something changes', async () => {
    const machine = await describeMachine('1.30.0');
    assert.deepEqual(await describeMachine('1.30.0'), machine);
    assert.notEqual((await describeMachine('1.31.0')).key, machine.key);
  });

  it('is another with another Vulkan driver', async function () {
    if (process.platform !== 'linux') {
      console.log('not run: Vulkan drivers are found so on Linux only');
      this.skip();
    }
    const own = process.env.VK_DRIVER_FILES;
    const before = await describeMachine('1.30.0');
    process.env.VK_DRIVER_FILES = '/nowhere/some_icd.json';
    try {
      const after = await describeMachine('1.30.0');
      assert.notEqual(after.key, before.key);
      assert.ok(after.drivers.includes('Vulkan some_icd.json'));
    } finally {
      if (own === undefined) {
        delete process.env.VK_DRIVER_FILES;
      } else {
        process.env.VK_DRIVER_FILES = own;
      }
    }
  });

  it('is read from the registry of Windows', () => {
    const printed = [
      '',
      'HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Class\\{4d36e968}\\0000',
      '    DriverDesc    REG_SZ    NVIDIA GeForce RTX 4070',
      '    DriverVersion    REG_SZ    32.0.15.6094',
      '    DriverDate    REG_SZ    8-14-2024',
      '',
      'HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Class\\{4d36e968}\\0001',
      '    DriverDesc    REG_SZ    Intel(R) UHD Graphics 770',
      '    DriverVersion    REG_SZ    31.0.101.5522',
      'End of search: 5 match(es) found.',
    ].join('\r\n');
    assert.deepEqual(parseRegistry(printed), {
      adapters: ['NVIDIA GeForce RTX 4070', 'Intel(R) UHD Graphics 770'],
      drivers: ['32.0.15.6094', '31.0.101.5522'],
      other: [],
    });
  });
});
