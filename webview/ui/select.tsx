interface SelectProps<T extends string | number> {
  readonly label: string;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly value: T;
  readonly onChange: (value: T) => void;
}

/** One of several, folded away. The browser's own list, in the editor's colours. */
export function Select<T extends string | number>({ label, options, value, onChange }: SelectProps<T>) {
  return (
    <select
      class="select"
      aria-label={label}
      value={options.findIndex((option) => option.value === value)}
      onChange={(event) => onChange(options[Number(event.currentTarget.value)].value)}
    >
      {options.map((option, at) => (
        <option key={option.value} value={at}>
          {option.label}
        </option>
      ))}
    </select>
  );
}
