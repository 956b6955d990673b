import type { Generator } from '../../../../src/engine/sampling/generator';

/**
 * A text under a person's hands: each step types, deletes, pastes, undoes, or goes to another place of the document and
 * on from there. What is before the caret is the text.
 */
export class EditedText {
  private readonly history: string[] = [];

  constructor(
    private document: string,
    private caret: number,
    private readonly generator: Generator,
  ) {}

  get beforeCaret(): string {
    return this.document.slice(0, this.caret);
  }

  step(): void {
    const kind = Math.floor(this.generator.next() * 8);
    if (kind === 0 && this.history.length > 0) {
      const restored = this.history.pop()!;
      this.caret = Math.min(this.caret, restored.length);
      this.document = restored;
    } else if (kind === 1) {
      this.caret = 1 + Math.floor(this.generator.next() * (this.document.length - 1));
    } else if (kind === 2) {
      const deleted = Math.min(this.caret - 1, 1 + Math.floor(this.generator.next() * 6));
      this.replace(deleted, '');
    } else if (kind === 3) {
      const from = Math.floor(this.generator.next() * this.document.length);
      this.replace(0, this.document.slice(from, from + 12));
    } else {
      this.replace(0, KEYS[Math.floor(this.generator.next() * KEYS.length)]);
    }
  }

  private replace(deleted: number, inserted: string): void {
    this.history.push(this.document);
    this.history.splice(0, this.history.length - UNDONE_AT_MOST);
    this.document = this.document.slice(0, this.caret - deleted) + inserted + this.document.slice(this.caret);
    this.caret += inserted.length - deleted;
  }
}

const UNDONE_AT_MOST = 100;
const KEYS = [...'etaoinsr(){}.,=" \n\t', '\r\n', 'é', '中', '😀', 'lo', 'return'];
