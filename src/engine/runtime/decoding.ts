import type { Tensor } from 'onnxruntime-node';
import type { DecoderConfig } from '../model/config';
import type { CacheSite } from '../onnx/cache-sites';
import { DataType } from '../onnx/data-type';
import { ROWS_INPUT } from '../onnx/instrument';
import type { Signature } from '../onnx/signature';
import type { DeviceSession } from './device-session';
import { buildFeeds, type Feeds, rowsFeed } from './feeds';
import { type CacheShape, KeyValueBuffer, type TokenState } from './key-value-buffer';
import type { Runtime } from './providers';
import { floatData } from './tensors';

export type { TokenState } from './key-value-buffer';

/** A graph that reads tokens. */
export interface DecodingGraph {
  readonly session: DeviceSession;
  readonly signature: Signature;
  /** Null where the graph takes no past. */
  readonly sites: readonly CacheSite[] | null;
  /** Whether the graph has `ROWS_INPUT`. */
  readonly hasRows: boolean;
  /** What the graph is given besides, the same for every run. */
  readonly besides: Feeds;
}

export interface DecodingOptions {
  readonly runtime: Runtime;
  readonly config: DecoderConfig;
  /** Reads a text from its start. */
  readonly graph: DecodingGraph;
  /** Goes on behind what was read, where another graph does that: the other branch of a merged decoder. */
  readonly continuing: DecodingGraph | null;
}

/** What came of reading a few more tokens. */
export interface DecodingStep {
  /** [V] each: the predictions made at the last tokens, as many as were asked for. */
  readonly logits: readonly Float32Array[];
  /** Of each token that was read: a copy, made when it is asked for. */
  readonly states: () => readonly TokenState[];
}

/** How the keys and values of the tokens before are kept from one step to the next. */
export type CacheKind =
  /** In tensors with room behind, whose empty slots are masked. */
  | 'buffered'
  /** In tensors that are just as long as there are tokens, and made anew for each step. */
  | 'tight'
  /** Not at all: the graph takes no past, and each step reads everything again. */
  | 'none';

/** Empty slots behind the past when it is laid out anew: every one of them costs a little attention. */
const ROOM = 32;
/** Largest difference, as a part of the largest logit, that empty slots may make. */
const TOLERANCE = 1e-4;
/** The slots that the trial leaves empty. */
const TRIAL_GAP = 3;
const TRIAL_LENGTH = 10;

/**
 * A model that reads one token after the other, with the keys and values of those before. What it has read can be
 * shortened and put back, so that a text that was changed at its end is read from there on only.
 *
 * One caller at a time.
 */
export class Decoding {
  private readonly buffer: KeyValueBuffer | null;
  /** The tokens read so far; with a buffer, as many as it holds. */
  private ids: number[] = [];

  private constructor(
    private readonly options: DecodingOptions,
    readonly kind: CacheKind,
    shapes: readonly CacheShape[],
    /** Whether logits can be computed for the wanted tokens alone. */
    private readonly selectsRows: boolean,
    /** Whether the graph takes a single token behind a past, and no more. */
    private readonly oneByOne: boolean,
  ) {
    this.buffer = kind === 'none' ? null : new KeyValueBuffer(shapes);
  }

  /** Tries on a few tokens how the graph's cache can be kept, and whether it gives the logits of some tokens alone. */
  static async open(options: DecodingOptions): Promise<Decoding> {
    const selectsRows = options.graph.hasRows && (await Decoding.trySelection(options));
    const uncached = new Decoding(options, 'none', [], selectsRows, false);
    const shapes = cacheShapes(options);
    if (shapes === null) {
      return uncached;
    }
    const { logits } = await new Decoding(options, 'none', [], selectsRows, false).read(trialIds(options.config), 1);
    // Where it was exported for one token at a time, several at once do not see each other rightly, or are refused.
    for (const oneByOne of [false, true]) {
      const tried = (kind: CacheKind) => new Decoding(options, kind, shapes, selectsRows, oneByOne);
      const exact = await tried('tight').tryCache(0);
      if (exact !== null && agree(logits[0], exact)) {
        const gapped = await tried('buffered').tryCache(TRIAL_GAP);
        return tried(gapped !== null && agree(exact, gapped) ? 'buffered' : 'tight');
      }
    }
    // Its cache does not work as inputs and outputs of these names do elsewhere; the graph itself does.
    return uncached;
  }

  /** Whether the last token's logits alone are those that the graph gives among all of them. */
  private static async trySelection(options: DecodingOptions): Promise<boolean> {
    const ids = trialIds(options.config);
    const all = await new Decoding(options, 'none', [], false, false).read(ids, 1);
    const alone = await new Decoding(options, 'none', [], true, false).read(ids, 1).catch(() => null);
    return alone !== null && agree(all.logits[0], alone.logits[0]);
  }

  /**
   * The last prediction for a short passage that is read in two parts, with so many empty slots between them; null where the
   * graph refuses to.
   */
  private async tryCache(gap: number): Promise<Float32Array | null> {
    const ids = trialIds(this.options.config);
    const half = Math.ceil(ids.length / 2);
    try {
      await this.read(ids.slice(0, half), 1);
      this.buffer!.resize(half + gap);
      const { logits } = await this.read(ids.slice(half), 1);
      return logits[0];
    } catch {
      return null;
    }
  }

  /** Number of tokens that were read. */
  get length(): number {
    return this.ids.length;
  }

  /** Bytes of one token's `TokenState`. */
  get bytesPerToken(): number {
    return this.buffer?.bytesPerToken ?? 0;
  }

  /** How many tokens at the start are the same as these. */
  sharedWith(ids: ArrayLike<number>): number {
    let shared = 0;
    while (shared < this.ids.length && shared < ids.length && this.ids[shared] === ids[shared]) {
      shared++;
    }
    return shared;
  }

  /** Forgets all but the first tokens. */
  truncate(length: number): void {
    this.ids.length = length;
    if (this.buffer !== null) {
      this.buffer.length = length;
    }
  }

  /** Puts tokens behind those that were read, whose states are known. */
  restore(ids: readonly number[], states: readonly TokenState[]): void {
    if (this.buffer !== null) {
      this.makeRoom(ids.length, 0);
      this.buffer.append(states);
    }
    this.ids.push(...ids);
  }

  /**
   * Reads more tokens.
   *
   * @param ids [T], behind those that were read; together no more than the model's context
   * @param rows how many of them predictions are wanted for: the last ones
   * @throws HeadlightError `internal` where the runtime fails, `device-lost` on another device than the processor
   */
  async read(ids: readonly number[], rows: number): Promise<DecodingStep> {
    const { buffer } = this;
    if (buffer === null) {
      const all = Uint32Array.from([...this.ids, ...ids]);
      const { logits } = await this.run(all, rows, []);
      this.ids.push(...ids);
      return { logits, states: () => ids.map(() => new Uint8Array()) };
    }
    if (this.oneByOne && buffer.length > 0 && ids.length > 1) {
      return this.readOneByOne(ids, rows);
    }
    this.makeRoom(0, ids.length);
    const { graph, continuing } = this.options;
    // The branch that starts hands out the whole of what it kept, which is what is new.
    const sites =
      continuing === null
        ? graph.sites!
        : continuing.sites!.map((site) => (buffer.slots > 0 ? site : { ...site, fresh: null }));
    const names = sites.map(({ fresh, present }) => fresh ?? present);
    const { logits, results } = await this.run(Uint32Array.from(ids), rows, names);
    const fresh = sites.map((site, index) => ({
      tensor: results[names[index]],
      rows: site.fresh === null ? buffer.slots + ids.length : ids.length,
      first: site.fresh === null ? buffer.slots : 0,
    }));
    if (buffer.length + ids.length > buffer.slots) {
      buffer.resize(this.roomFor(buffer.length + ids.length, 1));
    }
    buffer.appendRun(fresh, ids.length);
    this.ids.push(...ids);
    return { logits, states: () => buffer.statesOf(fresh, ids.length) };
  }

  private async readOneByOne(ids: readonly number[], rows: number): Promise<DecodingStep> {
    const steps: DecodingStep[] = [];
    for (const id of ids) {
      steps.push(await this.read([id], 1));
    }
    return {
      logits: steps.slice(ids.length - rows).map(({ logits }) => logits[0]),
      states: () => steps.flatMap(({ states }) => states()),
    };
  }

  private async run(ids: Uint32Array, rows: number, fetch: readonly string[]) {
    const { runtime, config, graph, continuing } = this.options;
    const { session, signature, hasRows, besides } =
      (this.buffer !== null && this.buffer.slots > 0 ? continuing : null) ?? graph;
    const past =
      this.buffer === null
        ? undefined
        : { length: this.buffer.length, slots: this.buffer.slots, tensors: this.buffer.tensors(runtime) };
    const feeds: Record<string, Tensor> = { ...buildFeeds(runtime, signature, config, ids, past), ...besides };
    if (hasRows) {
      Object.assign(feeds, rowsFeed(runtime, ROWS_INPUT, this.selectsRows ? ids.length - rows : 0, ids.length));
    }
    const results = await session.run(feeds, [signature.logits, ...fetch], ids.length);
    const data = floatData(results[signature.logits]);
    const vocabSize = config.vocabSize;
    const given = data.length / vocabSize;
    const logits = Array.from({ length: rows }, (_, row) =>
      data.subarray((given - rows + row) * vocabSize, (given - rows + row + 1) * vocabSize),
    );
    return { logits, results };
  }

  /** Lays the past out for `known` more tokens in it, and then a run of `reading` ones behind it. */
  private makeRoom(known: number, reading: number): void {
    const buffer = this.buffer!;
    const filled = buffer.length + known;
    const tooFew = buffer.slots < filled;
    const tooMany =
      buffer.slots - filled > (this.kind === 'buffered' && filled > 0 ? 2 * ROOM : 0) ||
      buffer.slots + reading > Math.max(filled + reading, this.options.config.contextLength);
    if (tooFew || tooMany) {
      buffer.resize(this.roomFor(filled, reading));
    }
  }

  /**
   * Slots for so many tokens: a mask that the graph stores reaches no further than its context. None for nothing, since
   * what is read first may be long, and each of its tokens would look at all of the empty ones.
   */
  private roomFor(length: number, reading: number): number {
    if (length === 0) {
      return 0;
    }
    const wanted = this.kind === 'buffered' ? length + ROOM : length;
    return Math.max(length, Math.min(wanted, this.options.config.contextLength - reading));
  }
}

/** From an empty past as the graph takes it; null where there is none. */
function cacheShapes({ runtime, config, graph, continuing }: DecodingOptions): readonly CacheShape[] | null {
  const { signature, sites } = continuing ?? graph;
  if (sites === null) {
    return null;
  }
  const empty = buildFeeds(runtime, signature, config, Uint32Array.of(0));
  return sites.map(({ past, axis }) => ({
    name: past,
    dataType: empty[past].type === 'float16' ? DataType.Float16 : DataType.Float32,
    dims: empty[past].dims,
    axis,
  }));
}

function trialIds({ contextLength, vocabSize }: DecoderConfig): number[] {
  const length = Math.max(2, Math.min(TRIAL_LENGTH, contextLength - TRIAL_GAP));
  return Array.from({ length }, (_, index) => (index * 7919) % vocabSize);
}

function agree(expected: Float32Array, actual: Float32Array): boolean {
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  return expected.every((value, index) => Math.abs(value - actual[index]) <= TOLERANCE * scale);
}
