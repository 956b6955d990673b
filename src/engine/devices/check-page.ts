import { DEVICE_NAMES, type DeviceProof, type OperatorProfile, type OperatorTime } from '../../protocol/device';
import type { DeviceCheck } from './device-chooser';

/** A check of a device in words and figures, for a page or a terminal. */
export interface CheckPage {
  /** One sentence: whether the device can be used. */
  readonly verdict: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly tables: readonly OperatorTable[];
}

export interface OperatorTable {
  readonly title: string;
  /** As `OPERATOR_HEADING`; the share is of all the time in operators. */
  readonly rows: readonly (readonly [string, string, string, string])[];
}

const ARITHMETIC = { float32: 'float32', float16: 'half precision', integer: 'rounded integers' } as const;

export const OPERATOR_HEADING = ['nodes', 'ms', 'share', 'operator'] as const;

export function checkPage(check: DeviceCheck): CheckPage {
  const { device, problem, proof, adapters, drivers, runtimeVersion } = check;
  const name = DEVICE_NAMES[device];
  return {
    verdict:
      problem === null
        ? `${name} can be used: it gives the processor’s numbers for this model.`
        : `${name} cannot be used: ${problem}.`,
    facts: [
      ['Device', `${name}, ONNX Runtime ${runtimeVersion}`],
      ['Adapter', adapters.join(', ') || 'not known'],
      ['Driver', drivers.join(', ') || 'not known'],
      ...(proof === null ? [] : proofFacts(proof)),
    ],
    tables: proof?.operators ? operatorTables(name, proof.operators) : [],
  };
}

function proofFacts(proof: DeviceProof): readonly (readonly [string, string])[] {
  const { arithmetic, tolerance, differences, tokens, times, operators } = proof;
  const { logits, attention, step } = differences;
  const ofLargest = (value: number) => `${figure(value)}${Number.isFinite(value) ? ' of the largest logit' : ''}`;
  return [
    [
      'Tolerance',
      `${tolerance} where a model computes in ${ARITHMETIC[arithmetic]}: of the largest logit, and of an attention weight`,
    ],
    ['Logits differ by', `${ofLargest(logits)}, in ${tokens} tokens`],
    ['Attention differs by', attention === null ? 'not known: this model’s was not found' : figure(attention)],
    ['Cached steps differ by', ofLargest(step)],
    [`Time for ${tokens} tokens`, compared(times.device.prompt, times.cpu.prompt)],
    ['Time for a cached step', compared(times.device.step, times.cpu.step)],
    ...(operators === null ? [] : [fallenBack(operators)]),
  ];
}

function fallenBack(operators: OperatorProfile): readonly [string, string] {
  const { onCpu } = operators;
  const count = onCpu.reduce((sum, { nodes }) => sum + nodes, 0);
  const nodes = `${count} ${count === 1 ? 'node' : 'nodes'}`;
  return ['Left to the processor', `${nodes}, ${percent(total(onCpu) / totalOf(operators))} of the time in operators`];
}

function operatorTables(name: string, operators: OperatorProfile): readonly OperatorTable[] {
  const { onDevice, onCpu, copies } = operators;
  const all = totalOf(operators);
  const table = (title: string, times: readonly OperatorTime[]) => ({
    title,
    rows: times.map(({ operator, nodes, ms }) => [String(nodes), ms.toFixed(3), percent(ms / all), operator] as const),
  });
  return [
    table('Left to the processor', onCpu),
    table('Copied between the processor’s memory and the device’s, with waiting for it', copies),
    table(`On ${name}`, onDevice),
  ].filter(({ rows }) => rows.length > 0);
}

function totalOf({ onDevice, onCpu, copies }: OperatorProfile): number {
  return total(onDevice) + total(onCpu) + total(copies);
}

function total(times: readonly OperatorTime[]): number {
  return times.reduce((sum, { ms }) => sum + ms, 0);
}

function figure(value: number): string {
  return value === 0 ? '0' : Number.isFinite(value) ? value.toExponential(1) : 'more than can be told';
}

function compared(device: number, cpu: number): string {
  return `${device.toFixed(1)} ms, ${cpu.toFixed(1)} ms on the processor (${times(device / cpu)})`;
}

function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 2 : 0)} ×`;
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : '–';
}
