import type { TokenState } from '../runtime/decoding';

/** A token of a text that the model has read, behind those above it in the tree. */
export interface PrefixNode {
  readonly id: number;
  readonly state: TokenState;
  /** [V]: what the model predicts behind it, where that is still remembered. */
  readonly logits: Float32Array | null;
}

interface Node {
  readonly id: number;
  readonly parent: Node | null;
  readonly state: TokenState;
  readonly children: Map<number, Node>;
  logits: Float32Array | null;
  /** Never less than that of its children. */
  lastUse: number;
}

/** What a node takes beside its arrays: the object, its map, its place in the map above. */
const NODE_BYTES = 400;
/** Predictions are large, and wanted again at the places that one has just come from. */
const REMEMBERED_LOGITS = 16;
/** Dropping a little more than needed makes it rare. */
const KEPT_PART = 0.9;

/**
 * The texts that a model has read lately, as a tree of their tokens with the keys and values of each: what two texts begin
 * with in common is there once. When it is full, what was not used for longest goes, from the ends of the texts.
 */
export class PrefixTree {
  private readonly root: Node = {
    id: -1,
    parent: null,
    state: new Uint8Array(),
    children: new Map(),
    logits: null,
    lastUse: 0,
  };
  /** Nodes with logits, newest last. */
  private readonly remembered = new Set<Node>();
  private clock = 0;
  private used = 0;

  /** @param limit in bytes */
  constructor(private limit: number) {}

  /** What it takes, in bytes. */
  get byteLength(): number {
    return this.used;
  }

  /** A smaller limit holds at once. */
  resize(limit: number): void {
    this.limit = limit;
    this.trim();
  }

  /**
   * How many of the tokens from a place on are in the tree as the beginning of a text. Counts as no use.
   *
   * @param startToken what stands before every text; null where nothing does
   */
  depthFrom(ids: ArrayLike<number>, from: number, startToken: number | null): number {
    let node = startToken === null ? this.root : this.root.children.get(startToken);
    if (node === undefined) {
      return 0;
    }
    let depth = -1;
    for (; node !== undefined; depth++) {
      node = node.children.get(ids[from + depth + 1]);
    }
    return depth;
  }

  /** The nodes of as many tokens at the beginning of a text as are in the tree. They count as used now. */
  find(ids: readonly number[]): readonly PrefixNode[] {
    return this.walk(ids);
  }

  /**
   * Puts tokens of a text into the tree. They are left out where one before them is no longer there.
   *
   * @param from where the first of them stands in the text
   */
  add(ids: readonly number[], from: number, states: readonly TokenState[]): void {
    const path = this.walk(ids.slice(0, from));
    if (path.length < from) {
      return;
    }
    let node = path.at(-1) ?? this.root;
    for (const [index, state] of states.entries()) {
      const id = ids[from + index];
      const known = node.children.get(id);
      if (known !== undefined) {
        known.lastUse = this.clock;
        node = known;
        continue;
      }
      const added: Node = { id, parent: node, state, children: new Map(), logits: null, lastUse: this.clock };
      node.children.set(id, added);
      this.used += NODE_BYTES + state.byteLength;
      node = added;
    }
    this.trim();
  }

  /** Remembers what the model predicts behind a text, if its tokens are in the tree. */
  rememberLogits(ids: readonly number[], logits: Float32Array): void {
    const path = this.walk(ids);
    const node = path.at(-1);
    if (path.length < ids.length || node === undefined) {
      return;
    }
    this.forgetLogits(node);
    // A copy: the row may be a part of a large array.
    node.logits = logits.slice();
    this.used += node.logits.byteLength;
    this.remembered.add(node);
    for (const oldest of [...this.remembered].slice(0, Math.max(0, this.remembered.size - REMEMBERED_LOGITS))) {
      this.forgetLogits(oldest);
    }
    this.trim();
  }

  private walk(ids: readonly number[]): readonly Node[] {
    this.clock++;
    const path: Node[] = [];
    let node: Node | undefined = this.root;
    for (const id of ids) {
      node = node.children.get(id);
      if (node === undefined) {
        break;
      }
      node.lastUse = this.clock;
      path.push(node);
    }
    return path;
  }

  private trim(): void {
    if (this.used <= this.limit) {
      return;
    }
    const target = KEPT_PART * this.limit;
    for (const node of [...this.remembered].slice(0, -1)) {
      this.forgetLogits(node);
    }
    while (this.used > target && this.root.children.size > 0) {
      for (const leaf of this.leaves().sort((a, b) => a.lastUse - b.lastUse)) {
        // Up to where another text goes on, or one that was used later.
        let node = leaf;
        while (
          this.used > target &&
          node.parent !== null &&
          node.children.size === 0 &&
          node.lastUse === leaf.lastUse
        ) {
          this.drop(node);
          node = node.parent;
        }
      }
    }
  }

  private leaves(): Node[] {
    const found: Node[] = [];
    const waiting = [this.root];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (node.children.size === 0) {
        found.push(node);
      }
      waiting.push(...node.children.values());
    }
    return found;
  }

  private drop(node: Node): void {
    this.forgetLogits(node);
    node.parent!.children.delete(node.id);
    this.used -= NODE_BYTES + node.state.byteLength;
  }

  private forgetLogits(node: Node): void {
    this.used -= node.logits?.byteLength ?? 0;
    node.logits = null;
    this.remembered.delete(node);
  }
}
