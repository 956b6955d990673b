import type { OperatorProfile, OperatorTime } from '../../protocol/device';

/** An event of the runtime's profile, times in microseconds. */
interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly provider?: string; readonly op_name?: string };
}

const CPU = 'CPUExecutionProvider';
const COPIES: ReadonlySet<string | undefined> = new Set(['MemcpyFromHost', 'MemcpyToHost']);
const RUN = 'model_run';
/** Of a node's event. */
const NODE = '_kernel_time';
/** The category of what a device's own clock has measured; such an event is named `NODE&OPERATOR&PROGRAM`. */
const MEASURED_ON_DEVICE = 'Api';

/**
 * Where the operators of the last run in a profile were computed, and how long that took.
 *
 * A device's own clock is taken where it has one; otherwise the time of handing the operator over stands for it. What a copy
 * back took includes waiting for what is copied.
 *
 * @param json what the runtime wrote
 */
export function readProfile(json: string): OperatorProfile {
  const events = JSON.parse(json) as readonly ProfileEvent[];
  const run = events.findLast(({ name }) => name === RUN);
  const within = ({ ts }: ProfileEvent) => run === undefined || (ts >= run.ts && ts <= run.ts + run.dur);
  const nodes = events.filter((event) => event.name.endsWith(NODE) && within(event));
  const measured = events.filter((event) => event.cat === MEASURED_ON_DEVICE && within(event));
  const isCopy = ({ args }: ProfileEvent) => COPIES.has(args?.op_name);
  const isOnCpu = ({ args }: ProfileEvent) => args?.provider === CPU;
  const operatorOf = ({ args }: ProfileEvent) => args?.op_name ?? '';
  const handedOver = nodes.filter((event) => !isCopy(event) && !isOnCpu(event));
  const onDevice = byOperator(handedOver, operatorOf);
  const clock = new Map(
    byOperator(measured, ({ name }) => name.split('&')[1] ?? name).map(({ operator, ms }) => [operator, ms]),
  );
  return {
    onDevice:
      measured.length === 0
        ? onDevice
        : sorted(onDevice.map((operator) => ({ ...operator, ms: clock.get(operator.operator) ?? 0 }))),
    onCpu: byOperator(
      nodes.filter((event) => !isCopy(event) && isOnCpu(event)),
      operatorOf,
    ),
    copies: byOperator(nodes.filter(isCopy), operatorOf),
  };
}

function byOperator(
  events: readonly ProfileEvent[],
  operatorOf: (event: ProfileEvent) => string,
): readonly OperatorTime[] {
  const operators = new Map<string, OperatorTime>();
  for (const event of events) {
    const operator = operatorOf(event);
    const { nodes, ms } = operators.get(operator) ?? { nodes: 0, ms: 0 };
    operators.set(operator, { operator, nodes: nodes + 1, ms: ms + event.dur / 1000 });
  }
  return sorted([...operators.values()]);
}

function sorted(operators: readonly OperatorTime[]): readonly OperatorTime[] {
  return [...operators].sort((a, b) => b.ms - a.ms);
}
