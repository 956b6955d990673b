/** Pieces of work that nothing waits for. */
export type Pieces = Iterable<() => Promise<unknown>>;

/** Does work piece by piece while it is quiet. */
export class IdleWork {
  private timer: NodeJS.Timeout | null = null;
  private pieces: Iterator<() => Promise<unknown>> | null = null;

  /** @param quietMs nothing has been asked for since so long before a piece is done */
  constructor(private readonly quietMs: number) {}

  /** Takes up new work; what is left of the old is dropped. */
  start(pieces: Pieces): void {
    this.pieces = pieces[Symbol.iterator]();
    this.postpone();
  }

  /** Something was asked for: what is left waits until it is quiet again. */
  postpone(): void {
    clearTimeout(this.timer ?? undefined);
    this.timer = this.pieces === null ? null : setTimeout(() => void this.next(), this.quietMs).unref();
  }

  /** Drops what is left. */
  stop(): void {
    this.pieces = null;
    this.postpone();
  }

  private async next(): Promise<void> {
    const { pieces } = this;
    const piece = pieces?.next();
    if (piece === undefined || piece.done) {
      this.stop();
      return;
    }
    // Whoever needs what could not be done says so when it is asked for.
    await piece.value().catch(() => undefined);
    if (this.pieces === pieces) {
      this.postpone();
    }
  }
}
