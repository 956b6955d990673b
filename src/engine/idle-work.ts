/** Pieces of work that nothing waits for. */
export type Pieces = Iterable<() => Promise<unknown>>;

/** Between two pieces, so that a request that has come in meanwhile goes first. */
const GAP_MS = 5;

/** Does work piece by piece while it is quiet. */
export class IdleWork {
  private timer: NodeJS.Timeout | null = null;
  private pieces: Iterator<() => Promise<unknown>> | null = null;

  /** @param quietMs nothing has been asked for since so long before work begins, or goes on */
  constructor(private readonly quietMs: number) {}

  /** Takes up new work; what is left of the old is dropped. */
  start(pieces: Pieces): void {
    this.pieces = pieces[Symbol.iterator]();
    this.postpone();
  }

  /** Something was asked for: what is left waits until it is quiet again. */
  postpone(): void {
    this.goOnAfter(this.quietMs);
  }

  /** Drops what is left. */
  stop(): void {
    this.pieces = null;
    this.postpone();
  }

  private async next(): Promise<void> {
    const { pieces, timer: fired } = this;
    const piece = nextOf(pieces);
    if (piece === null) {
      this.stop();
      return;
    }
    // Whoever needs what could not be done says so when it is asked for.
    await piece().catch(() => undefined);
    // Where something was asked for meanwhile, another timer runs already.
    if (this.pieces === pieces && this.timer === fired) {
      this.goOnAfter(GAP_MS);
    }
  }

  private goOnAfter(milliseconds: number): void {
    clearTimeout(this.timer ?? undefined);
    this.timer = this.pieces === null ? null : setTimeout(() => void this.next(), milliseconds).unref();
  }
}

/** Null at the end, and where what the work is about is gone by now: nobody waits for it, so nobody need be told. */
function nextOf(pieces: Iterator<() => Promise<unknown>> | null): (() => Promise<unknown>) | null {
  try {
    const next = pieces?.next();
    return next === undefined || next.done ? null : next.value;
  } catch {
    return null;
  }
}
