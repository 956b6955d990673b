import type { Tensor } from 'onnxruntime-node';
import { DataType, rawByteLength } from '../onnx/data-type';
import type { Feeds } from './feeds';
import type { Runtime } from './providers';

/** The keys and values of one token in every layer, one site's numbers after the other's. */
export type TokenState = Uint8Array;

/** One of a graph's inputs for past keys or values. */
export interface CacheShape {
  readonly name: string;
  /** Single or half precision. */
  readonly dataType: DataType.Float32 | DataType.Float16;
  /** With any number at `axis`. */
  readonly dims: readonly number[];
  /** The axis that counts tokens. */
  readonly axis: number;
}

/** Where a run left the keys or values of its tokens: [outer, rows, inner], the new ones from row `first` on. */
export interface FreshRows {
  readonly tensor: Tensor;
  readonly rows: number;
  readonly first: number;
}

/** How numbers are copied: a few of them at a time, where making a view of them would take longer than copying. */
type Words = Uint32Array | Uint16Array;

interface Site {
  readonly shape: CacheShape;
  /** Product of the axes before the one of the tokens. */
  readonly outer: number;
  /** Bytes of one token behind each of those. */
  readonly inner: number;
  /** [outer, slots, inner] */
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The keys and values of the tokens that a decoder has read, as its graph takes them: one tensor a site with room for
 * more tokens than there are, so that a token more is written behind the others and nothing is copied.
 */
export class KeyValueBuffer {
  /** Slots of each tensor. */
  slots = 0;
  /** How many of them are filled, from the first on. */
  length = 0;
  /** Bytes of a `TokenState`. */
  readonly bytesPerToken: number;
  private readonly sites: readonly Site[];
  /** Four, unless a token's numbers in half precision are odd in number. */
  private readonly wordBytes: 2 | 4;

  constructor(shapes: readonly CacheShape[]) {
    this.sites = shapes.map((shape) => {
      const product = (dims: readonly number[]) => dims.reduce((all, dim) => all * dim, 1);
      const inner = rawByteLength(shape.dataType, [product(shape.dims.slice(shape.axis + 1))])!;
      return { shape, outer: product(shape.dims.slice(0, shape.axis)), inner, bytes: new Uint8Array() };
    });
    this.wordBytes = this.sites.every(({ inner }) => inner % 4 === 0) ? 4 : 2;
    this.bytesPerToken = this.sites.reduce((sum, { outer, inner }) => sum + outer * inner, 0);
  }

  /** Makes the tensors hold just so many tokens; what is filled stays, as far as it fits. */
  resize(slots: number): void {
    if (slots === this.slots) {
      return;
    }
    this.length = Math.min(this.length, slots);
    for (const site of this.sites) {
      const { outer, inner, bytes } = site;
      site.bytes = new Uint8Array(outer * slots * inner);
      for (let row = 0; row < outer; row++) {
        const from = row * this.slots * inner;
        site.bytes.set(bytes.subarray(from, from + this.length * inner), row * slots * inner);
      }
    }
    this.slots = slots;
  }

  /** The tensors, as the graph's inputs. They share the buffer's memory. */
  tensors({ Tensor }: Runtime): Feeds {
    return Object.fromEntries(
      this.sites.map(({ shape, bytes }) => {
        const dims = shape.dims.with(shape.axis, this.slots);
        const tensor =
          shape.dataType === DataType.Float16
            ? new Tensor('float16', new Uint16Array(bytes.buffer), dims)
            : new Tensor('float32', new Float32Array(bytes.buffer), dims);
        return [shape.name, tensor];
      }),
    );
  }

  /** Writes tokens that are known behind those that are there. There has to be room for them. */
  append(states: readonly TokenState[]): void {
    for (const state of states) {
      const from = this.words(state);
      let at = 0;
      for (const { outer, inner, bytes } of this.sites) {
        const [to, width] = [this.words(bytes), inner / this.wordBytes];
        for (let row = 0; row < outer; row++) {
          copyWords(from, at, to, (row * this.slots + this.length) * width, width);
          at += width;
        }
      }
      this.length++;
    }
  }

  /**
   * Writes the tokens that a run has read behind those that are there. There has to be room for them.
   *
   * @param fresh by site, in the order of the shapes
   */
  appendRun(fresh: readonly FreshRows[], count: number): void {
    for (const [index, { outer, inner, bytes }] of this.sites.entries()) {
      const { tensor, rows, first } = fresh[index];
      const source = bytesOf(tensor);
      for (let row = 0; row < outer; row++) {
        const from = (row * rows + first) * inner;
        bytes.set(source.subarray(from, from + count * inner), (row * this.slots + this.length) * inner);
      }
    }
    this.length += count;
  }

  /**
   * The states of the tokens that a run has read.
   *
   * @param fresh by site, in the order of the shapes
   */
  statesOf(fresh: readonly FreshRows[], count: number): readonly TokenState[] {
    const sources = fresh.map(({ tensor }) => this.words(bytesOf(tensor)));
    const states = Array.from({ length: count }, () => new Uint8Array(this.bytesPerToken));
    for (const [token, state] of states.entries()) {
      const to = this.words(state);
      let at = 0;
      for (const [index, { outer, inner }] of this.sites.entries()) {
        const [{ rows, first }, width] = [fresh[index], inner / this.wordBytes];
        for (let row = 0; row < outer; row++) {
          copyWords(sources[index], (row * rows + first + token) * width, to, at, width);
          at += width;
        }
      }
    }
    return states;
  }

  private words({ buffer, byteOffset, byteLength }: Uint8Array): Words {
    return this.wordBytes === 4
      ? new Uint32Array(buffer, byteOffset, byteLength / 4)
      : new Uint16Array(buffer, byteOffset, byteLength / 2);
  }
}

function copyWords(from: Words, fromStart: number, to: Words, toStart: number, count: number): void {
  for (let index = 0; index < count; index++) {
    to[toStart + index] = from[fromStart + index];
  }
}

function bytesOf({ data }: Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = data as Float32Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
