/** Drivers that compute on the processor: SwiftShader, Mesa’s llvmpipe and softpipe, and what Windows has without a GPU. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|microsoft basic (render|display)/i;

/** Whether there are adapters and none of them is more than the processor. */
export function areSoftware(adapters: readonly string[]): boolean {
  return adapters.length > 0 && adapters.every((adapter) => SOFTWARE.test(adapter));
}

/** Why a device with such adapters is passed over, as a phrase. */
export function softwareOnly(deviceName: string, adapters: readonly string[]): string {
  return `only a software ${deviceName} adapter (${adapters.join(', ')})`;
}
