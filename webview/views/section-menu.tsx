import { type Export, exportsOf, type SectionFiles } from '../export/section-files';
import { usePanel } from '../panel-context';
import { MenuButton, type MenuItem } from '../ui/menu';

/** Copies or saves what a section shows. */
export function SectionMenu({ title, files }: { title: string; files: SectionFiles }) {
  const { store, link } = usePanel();
  const copy = async ({ what, kind, make }: Export) => {
    const made = await make(store.state);
    if (made !== null && typeof made.content === 'string') {
      link.copy(made.content);
      store.announce(`Copied ${what} as ${kind.toUpperCase()}.`);
    }
  };
  const save = async ({ kind, make }: Export) => {
    const made = await make(store.state);
    const savedAs = made === null ? null : await link.save({ ...made, kind });
    if (savedAs !== null) {
      store.announce(`Saved ${savedAs}.`);
    }
  };
  const exports = exportsOf(title, files);
  const items: MenuItem[] = exports.flatMap((each, at) => {
    const separated = at > 0 && exports[at - 1].what !== each.what;
    const saving = {
      label: `Save ${each.what} as ${each.kind.toUpperCase()}…`,
      onChoose: () => void save(each),
      separated: separated && !each.copies,
    };
    return each.copies
      ? [
          { label: `Copy ${each.what} as ${each.kind.toUpperCase()}`, onChoose: () => void copy(each), separated },
          saving,
        ]
      : [saving];
  });
  return <MenuButton icon="save" label={`Copy or save: ${title}`} items={items} />;
}
