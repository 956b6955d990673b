import type { FileKind } from '../../src/protocol/panel';
import type { PanelState } from '../state';
import { aboutOf, type Setting } from './about';
import { npyOf, type Tensor } from './npy';
import { pngOf } from './png';
import type { Picture } from './surface';
import { svgOf } from './svg';
import { csvOf, jsonOf, type Table } from './table';

/** What can be taken out of a section, each by what it is called there. Made when it is asked for. */
export interface SectionFiles {
  readonly settings: Readonly<Record<string, Setting>>;
  readonly tables?: Readonly<Record<string, () => Table>>;
  readonly pictures?: Readonly<Record<string, () => Picture>>;
  readonly tensors?: Readonly<Record<string, () => Tensor>>;
}

/** One file that can be made. */
export interface Export {
  readonly what: string;
  readonly kind: FileKind;
  /** Whether it is text, which the clipboard takes. */
  readonly copies: boolean;
  /** @returns null where nothing is shown any more */
  readonly make: (
    state: PanelState,
  ) => Promise<{ readonly name: string; readonly content: string | Uint8Array } | null>;
}

/** All files that a section has, tables before pictures before tensors. */
export function exportsOf(section: string, { settings, tables, pictures, tensors }: SectionFiles): Export[] {
  const made = (
    what: string,
    kind: FileKind,
    copies: boolean,
    content: (about: NonNullable<ReturnType<typeof aboutOf>>) => string | Uint8Array | Promise<Uint8Array>,
  ): Export => ({
    ...{ what, kind, copies },
    make: async (state) => {
      const about = aboutOf(state, `${section}, ${what}`, settings);
      return about === null
        ? null
        : {
            name: `${about.model.name}-${section}-${what}`.replaceAll(' ', '-').toLowerCase(),
            content: await content(about),
          };
    },
  });
  return [
    ...Object.entries(tables ?? {}).flatMap(([what, table]) => [
      made(what, 'csv', true, (about) => csvOf(table(), about)),
      made(what, 'json', true, (about) => jsonOf(table(), about)),
    ]),
    ...Object.entries(pictures ?? {}).flatMap(([what, picture]) => [
      made(what, 'svg', true, (about) => svgOf(picture(), about)),
      made(what, 'png', false, (about) => pngOf(picture(), about)),
    ]),
    ...Object.entries(tensors ?? {}).map(([what, tensor]) =>
      made(what, 'npy', false, (about) => npyOf(tensor(), about)),
    ),
  ];
}
