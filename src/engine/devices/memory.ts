import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What came of trying a device. */
export interface Outcome {
  /** Why it cannot be used, as a phrase; null where it can. */
  readonly problem: string | null;
  /** Its time for the golden prompt as a part of the processor's; null where it did not come to that. */
  readonly slowdown: number | null;
  /** What the slower of the two took for a token of the golden prompt; null where it did not come to that. */
  readonly msPerToken: number | null;
}

interface Content {
  /** Of the machine that the outcomes hold for. */
  readonly machine: string;
  /** By what was tried, the newest last. */
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

/** Devices times models that are remembered. */
const MOST = 64;

/**
 * What came of trying devices, in a small file: for this machine with these drivers. When one of them changes, everything is
 * forgotten.
 */
export class DeviceMemory {
  /** @param file null remembers as long as this object lives */
  constructor(private readonly file: string | null) {}

  private kept: Content = { machine: '', outcomes: {} };

  get(machine: string, tried: string): Outcome | null {
    const content = this.read();
    return content.machine === machine ? (content.outcomes[tried] ?? null) : null;
  }

  set(machine: string, tried: string, outcome: Outcome): void {
    this.change(machine, (outcomes) => [...outcomes.filter(([name]) => name !== tried), [tried, outcome]]);
  }

  /** Forgets everything that begins with these words. */
  forget(machine: string, prefix: string): void {
    this.change(machine, (outcomes) => outcomes.filter(([name]) => !name.startsWith(prefix)));
  }

  private change(machine: string, to: (outcomes: readonly [string, Outcome][]) => readonly [string, Outcome][]): void {
    const content = this.read();
    const known = content.machine === machine ? Object.entries(content.outcomes) : [];
    this.write({ machine, outcomes: Object.fromEntries(to(known).slice(-MOST)) });
  }

  private read(): Content {
    if (this.file === null) {
      return this.kept;
    }
    try {
      const content: Partial<Content> | null = JSON.parse(readFileSync(this.file, 'utf8'));
      const { machine, outcomes } = content ?? {};
      return typeof machine === 'string' && isOutcomes(outcomes) ? { machine, outcomes } : this.kept;
    } catch {
      return this.kept;
    }
  }

  private write(content: Content): void {
    this.kept = content;
    if (this.file === null) {
      return;
    }
    try {
      mkdirSync(path.dirname(this.file), { recursive: true });
      // In one step, since other windows read it too.
      const draft = `${this.file}.${process.pid}`;
      writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`);
      renameSync(draft, this.file);
    } catch {
      // What cannot be written is tried again the next time.
    }
  }
}

function isOutcomes(value: unknown): value is Content['outcomes'] {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every(
      (outcome) =>
        typeof outcome === 'object' &&
        outcome !== null &&
        (outcome.problem === null || typeof outcome.problem === 'string') &&
        isNumberOrNull(outcome.slowdown) &&
        isNumberOrNull(outcome.msPerToken),
    )
  );
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || typeof value === 'number';
}
