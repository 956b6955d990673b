import type { ComponentChildren } from 'preact';
import type { SectionFiles } from '../export/section-files';
import { usePanel, useSelected } from '../panel-context';
import type { SectionName } from '../state';
import { Icon } from '../ui/icon';
import { SectionMenu } from './section-menu';

interface SectionProps {
  readonly name: SectionName;
  readonly title: string;
  /** Stands beside the title. */
  readonly subtitle?: ComponentChildren;
  /** Stands at the right of the header while the section is open. */
  readonly tools?: ComponentChildren;
  /** What can be copied or saved; null while there is nothing. */
  readonly files?: SectionFiles | null;
  readonly children: ComponentChildren;
}

/** A part of the panel that folds away under its title. */
export function Section({ name, title, subtitle, tools, files = null, children }: SectionProps) {
  const { store } = usePanel();
  const open = !useSelected((state) => state.view.collapsed.includes(name));
  const id = `section-${name}`;
  return (
    <section class="section" data-section={name} aria-labelledby={`${id}-title`}>
      <div class="section-head">
        <h2>
          <button
            type="button"
            id={`${id}-title`}
            class="section-title"
            aria-expanded={open}
            aria-controls={id}
            onClick={() => store.toggleSection(name)}
          >
            <Icon name="chevron" />
            {title}
          </button>
        </h2>
        {open && (
          <>
            {files !== null && <SectionMenu title={title} files={files} />}
            {subtitle !== undefined && <span class="subtitle">{subtitle}</span>}
            <span class="spring" />
            {tools}
          </>
        )}
      </div>
      <div id={id} class="section-body" hidden={!open}>
        {open && children}
      </div>
    </section>
  );
}
