import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { HeadlightError } from '../../protocol/errors';
import { rawByteLength } from './data-type';
import type { ModelFile } from './model-file';
import type { StoredTensor } from './tensor';

/** Where a tensor's numbers are: a file in the model's folder, and the bytes of it. */
export interface WeightLocation {
  /** Relative to the folder, with slashes. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** Smaller tensors stay in the graph: axes, shapes and scales, which the runtime wants to see while it optimises. */
const SMALLEST_EXTERNAL = 1024;

/** The files that a model's weights are in. */
export class WeightFiles {
  private readonly known = new Map<string, { readonly location: string; readonly size: number }>();

  constructor(private readonly file: ModelFile) {}

  /** Where the runtime finds the tensor's numbers; null where it stays in the graph. */
  locate(tensor: StoredTensor): WeightLocation | null {
    const { data } = tensor;
    switch (data.kind) {
      case 'records':
        return null;
      case 'raw':
        return data.range.length < SMALLEST_EXTERNAL || this.file.isInMemory
          ? null
          : { location: path.basename(this.file.realPath), ...data.range };
      case 'external': {
        const { location, size } = this.find(data.location, tensor.name);
        const length = data.length ?? rawByteLength(tensor.dataType, tensor.dims) ?? size - data.offset;
        if (data.offset + length > size) {
          throw new HeadlightError(
            'model-invalid',
            `${path.join(this.file.folder, location)} ends before the weights of "${tensor.name}" do; ` +
              'its download is not complete, so fetch it again.',
          );
        }
        return { location, offset: data.offset, length };
      }
    }
  }

  /** Follows links: in a download cache both files are links into one folder, under other names. */
  private find(location: string, tensor: string): { readonly location: string; readonly size: number } {
    const known = this.known.get(location);
    if (known !== undefined) {
      return known;
    }
    // What was written in memory names files as they are found behind links.
    const named = path.join(this.file.isInMemory ? this.file.folder : path.dirname(this.file.path), location);
    let real: string;
    let size: number;
    try {
      real = realpathSync(named);
      size = statSync(real).size;
    } catch (cause) {
      throw new HeadlightError(
        'model-missing',
        `${named} is not there, but ${path.basename(this.file.path)} keeps weights such as "${tensor}" in it; ` +
          'put it beside the model.',
        { cause },
      );
    }
    const relative = path.relative(this.file.folder, real);
    if (relative.startsWith('..') || path.isAbsolute(relative)) {
      throw this.file.invalid(`keeps "${tensor}" in ${real}, which is outside of the model's folder`);
    }
    const found = { location: relative.split(path.sep).join('/'), size };
    this.known.set(location, found);
    return found;
  }
}
