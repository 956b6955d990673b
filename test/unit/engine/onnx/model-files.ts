import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Model, readModel } from '../../../../src/engine/onnx/graph';
import { ModelFile } from '../../../../src/engine/onnx/model-file';
import type { GraphBuilder } from './graph-builder';

/** A folder of model files that lives as long as the suite it is made in. */
export class ModelFiles {
  private folder = '';

  constructor() {
    before(() => {
      this.folder = mkdtempSync(path.join(tmpdir(), 'headlight-onnx-'));
    });
    after(() => {
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  write(content: GraphBuilder | Uint8Array, name = 'model.onnx'): string {
    const file = this.path(name);
    if (content instanceof Uint8Array) {
      writeFileSync(file, content);
    } else {
      content.write(file);
    }
    return file;
  }

  /** Writes a model and hands it to `use` as read. */
  read<T>(content: GraphBuilder | Uint8Array, use: (model: Model) => T): T {
    const file = ModelFile.open(this.write(content));
    try {
      return use(readModel(file));
    } finally {
      file.close();
    }
  }
}
