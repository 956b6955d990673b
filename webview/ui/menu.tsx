import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icon';

/** One line of a menu. */
export interface MenuItem {
  readonly label: string;
  readonly onChoose: () => void;
  readonly disabled?: boolean;
  /** Draws a line above. */
  readonly separated?: boolean;
}

interface MenuButtonProps {
  readonly icon: IconName;
  readonly label: string;
  readonly items: readonly MenuItem[];
}

/** An icon that opens a menu. Escape and a click elsewhere close it; the focus goes back to the button. */
export function MenuButton({ icon, label, items }: MenuButtonProps) {
  const [open, setOpen] = useState(false);
  const [toRight, setToRight] = useState(false);
  const root = useRef<HTMLSpanElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    if (!open) {
      setToRight(false);
      return;
    }
    // Where there is no room at the left of the button it opens to the right.
    setToRight(list.current!.getBoundingClientRect().left < 0);
    entries(list.current)[0]?.focus();
    const close = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) {
        setOpen(false);
      }
    };
    const leave = () => setOpen(false);
    document.addEventListener('pointerdown', close);
    window.addEventListener('blur', leave);
    return () => {
      document.removeEventListener('pointerdown', close);
      window.removeEventListener('blur', leave);
    };
  }, [open]);

  const onKeyDown = (event: KeyboardEvent) => {
    const choices = entries(list.current);
    const at = choices.indexOf(document.activeElement as HTMLElement);
    const go = (to: number) => choices[(to + choices.length) % choices.length]?.focus();
    const actions: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(choices.length - 1),
      Escape: () => {
        setOpen(false);
        button.current?.focus();
      },
      Tab: () => setOpen(false),
    };
    const action = actions[event.key];
    if (action !== undefined) {
      if (event.key !== 'Tab') {
        event.preventDefault();
        event.stopPropagation();
      }
      action();
    }
  };

  return (
    <span class="menu-anchor" ref={root}>
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name={icon} />
      </button>
      {open && (
        <div
          class={`menu${toRight ? ' to-right' : ''}`}
          role="menu"
          aria-label={label}
          ref={list}
          tabIndex={-1}
          onKeyDown={onKeyDown}
        >
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class={item.separated ? 'separated' : ''}
              disabled={item.disabled ?? false}
              onClick={() => {
                setOpen(false);
                button.current?.focus();
                item.onChoose();
              }}
            >
              {item.label}
            </button>
          ))}
        </div>
      )}
    </span>
  );
}

function entries(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>('[role=menuitem]:not(:disabled)') ?? [])];
}
