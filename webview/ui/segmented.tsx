interface SegmentedProps<T extends string> {
  readonly label: string;
  readonly options: readonly { readonly value: T; readonly label: string; readonly title?: string }[];
  readonly value: T;
  readonly onChange: (value: T) => void;
}

/** One of a few, side by side. Arrow keys choose, as in any group of radio buttons. */
export function Segmented<T extends string>({ label, options, value, onChange }: SegmentedProps<T>) {
  return (
    <div class="segmented" role="radiogroup" aria-label={label}>
      {options.map((option, at) => (
        // biome-ignore lint/a11y/useSemanticElements: a native radio cannot be drawn as a segment without a second element
        <button
          key={option.value}
          type="button"
          role="radio"
          aria-checked={option.value === value}
          tabIndex={option.value === value ? 0 : -1}
          data-value={option.value}
          {...(option.title === undefined ? {} : { title: option.title })}
          onClick={() => onChange(option.value)}
          onKeyDown={(event) => {
            const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
            if (step !== undefined) {
              event.preventDefault();
              const next = (at + step + options.length) % options.length;
              onChange(options[next].value);
              (event.currentTarget.parentElement?.children[next] as HTMLElement | undefined)?.focus();
            }
          }}
        >
          {option.label}
        </button>
      ))}
    </div>
  );
}
